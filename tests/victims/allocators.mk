# SPDX-License-Identifier: GPL-2.0-only
#
# Programs by the allocator they use and by how they get it: $(BUILD)/allocators/SOURCE.WAY. Each source of
# tests/victims/allocators is built in each of its ways; a way is what stands on the command line behind the source. Where
# a library of a way is missing there is no program either, and its test is skipped.

ALLOCATORS = $(BUILD)/allocators

WAY_plain =
WAY_jemalloc = -ljemalloc
WAY_tcmalloc = -ltcmalloc_minimal
WAY_mimalloc = -lmimalloc
WAY_static_jemalloc = -Wl,-Bstatic -ljemalloc -Wl,-Bdynamic -lstdc++ -lm
WAY_static_tcmalloc = -Wl,-Bstatic -ltcmalloc_minimal -Wl,-Bdynamic -lstdc++ -lm
# Debian 12 has no such file.
WAY_static_mimalloc = -l:libmimalloc.a
WAY_static_glibc = -static -DSTATIC_LIBC
WAY_all_static_jemalloc = -static -DSTATIC_LIBC -DANOTHER_MALLOC -ljemalloc -lm
WAY_all_static_tcmalloc = -static -DSTATIC_LIBC -DANOTHER_MALLOC -ltcmalloc_minimal -lstdc++ -lm
WAY_musl =
WAY_static_musl = -static -DSTATIC_LIBC
WAY_static_rjem = -DPREFIX=_rjem_ $(ALLOCATORS)/lib_rjem_.a -lm
WAY_static_je = -DPREFIX=je_ $(ALLOCATORS)/libje_.a -lm

WAY_static_libstdcxx = -static-libstdc++ -static-libgcc
WAY_own_malloc = -DOWN_NEW_MALLOC
WAY_own_helper = -DOWN_NEW_HELPER
WAY_own_arena = -DOWN_NEW_ARENA

WAY_CC_musl = musl-gcc
WAY_CC_static_musl = musl-gcc

WAYS_malloc_names = plain jemalloc tcmalloc mimalloc static_jemalloc static_tcmalloc static_mimalloc static_glibc \
	all_static_jemalloc all_static_tcmalloc musl static_musl
WAYS_jemalloc_api = jemalloc static_jemalloc static_rjem static_je
WAYS_mimalloc_api = mimalloc static_mimalloc
WAYS_tcmalloc_api = tcmalloc static_tcmalloc
WAYS_own_pool = plain
WAYS_own_arena = plain
WAYS_late_lib = plain static_rjem
WAYS_late_allocator = plain
WAYS_over_je = static_je
WAYS_over_libc = plain
WAYS_preload_header = plain
WAYS_thrown_pool = plain
WAYS_preload_leak = plain
WAYS_cxx_new = plain jemalloc tcmalloc mimalloc static_libstdcxx static_jemalloc static_tcmalloc static_glibc own_malloc own_helper \
	own_arena

ALLOCATOR_SRC = $(wildcard tests/victims/allocators/*.c tests/victims/allocators/*.cc)
# Without their symbols, which are in a file beside them, or inside and compressed; or nowhere.
STRIPPED = malloc_names.static_jemalloc jemalloc_api.static_rjem
ALLOCATOR_VICTIMS = $(foreach src,$(basename $(notdir $(ALLOCATOR_SRC))),$(WAYS_$(src):%=$(ALLOCATORS)/$(src).%)) \
	$(foreach way,debuglink minidebug,$(STRIPPED:%=$(ALLOCATORS)/%.$(way))) $(ALLOCATORS)/own_pool.plain.stripped

# The n-th of the words that a file's name is made of.
name_part = $(word $(1),$(subst ., ,$(notdir $@)))
way_flags = $(WAY_$(call name_part,2))
way_cc = $(or $(WAY_CC_$(call name_part,2)),$(1))

# Missing are libraries without which not even an empty program can be made in that way.
define build_allocator_victim
	@mkdir -p $(@D)
	$(call msg,VICTIM,$@)
	$(Q)if ! command -v $(firstword $(1)) >/dev/null || \
		! echo 'int main(void) { return 0; }' | $(1) -x c - -x none $(way_flags) -o $@ 2>/dev/null; \
	then rm -f $@; echo "$@: no library for that here" >&2; exit 0; fi; \
	$(1) $(VICTIM_FLAGS) $(call directive,CFLAGS) -Itests/victims -MMD -MP -MF $@.d -MT $@ $< $(way_flags) -o $@ \
		$(call directive,LIBS)
endef

# Names of files are made of the names of sources, so that a pattern rule cannot say it.
define allocator_rule
$(ALLOCATORS)/$(1).$(2): tests/victims/allocators/$(1)$(3) $(filter $(ALLOCATORS)/%.a,$(WAY_$(2))) tests/victims/allocators.mk \
		$(BUILD)/stamp/victims
	$$(call build_allocator_victim,$$(call way_cc,$(4)))
endef
$(foreach src,$(filter %.c,$(ALLOCATOR_SRC)),$(foreach way,$(WAYS_$(basename $(notdir $(src)))), \
	$(eval $(call allocator_rule,$(basename $(notdir $(src))),$(way),.c,$$(CC)))))
$(foreach src,$(filter %.cc,$(ALLOCATOR_SRC)),$(foreach way,$(WAYS_$(basename $(notdir $(src)))), \
	$(eval $(call allocator_rule,$(basename $(notdir $(src))),$(way),.cc,$$(CXX)))))

# jemalloc as programs have it that bring their own: configured with a prefix. All its own names begin with je_ anyway.
# The prefix is the stem. There is no file where there is no jemalloc.
$(ALLOCATORS)/lib%.a: tests/victims/allocators.mk $(BUILD)/stamp/victims
	@mkdir -p $(@D)
	$(call msg,OBJCOPY,$@)
	$(Q)library=$$($(CC) -print-file-name=libjemalloc_pic.a); rm -f $@; \
	[ -e "$$library" ] || exit 0; \
	nm -g --defined-only "$$library" 2>/dev/null | \
		sed -En '/ (je_|_Z|DW)/!s/^\w+ \w (\w+)$$/\1 $*\1/p' | sort -u >$@.names; \
	objcopy --redefine-syms=$@.names "$$library" $@ && $(AR) d $@ jemalloc_cpp.pic.o jemalloc_cpp.o

# There is no file where there was none to strip.
$(ALLOCATORS)/%.debuglink: $(ALLOCATORS)/%
	$(call msg,STRIP,$@)
	$(Q)[ ! -e $< ] || { objcopy --only-keep-debug $< $@.debug && objcopy -S --add-gnu-debuglink=$@.debug $< $@; }

# As Fedora's packages do: the symbols of functions that .dynsym does not have.
$(ALLOCATORS)/%.minidebug: $(ALLOCATORS)/%
	$(call msg,STRIP,$@)
	$(Q)[ ! -e $< ] || { nm -D --defined-only -f posix $< | cut -d' ' -f1 | sort >$@.dynsym; \
	nm --defined-only -f posix $< | sed -En 's/^(\S+) [Tt] .*/\1/p' | sort | comm -13 $@.dynsym - >$@.keep; \
	objcopy -S -R .comment --keep-symbols=$@.keep $< $@.mini && objcopy --only-keep-debug $@.mini && xz -f $@.mini && \
	objcopy -S --add-section .gnu_debugdata=$@.mini.xz $< $@; }

$(ALLOCATORS)/%.stripped: $(ALLOCATORS)/%
	$(call msg,STRIP,$@)
	$(Q)[ ! -e $< ] || objcopy -S $< $@

-include $(wildcard $(ALLOCATORS)/*.d)
