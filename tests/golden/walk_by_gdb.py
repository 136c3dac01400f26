import gdb,os,collections
out=os.environ["CHAINS"]; limit=int(os.environ.get("LIMIT","100000"))
gdb.execute("set pagination off"); gdb.execute("set confirm off"); gdb.execute("set auto-solib-add on"); gdb.execute("set disable-randomization on")
gdb.execute("set backtrace past-main on"); gdb.execute("set backtrace past-entry on"); gdb.execute("set backtrace limit 600"); gdb.execute("set debug-file-directory /nonexistent")
gdb.execute("set startup-with-shell off"); gdb.execute("set print thread-events off"); gdb.execute("set breakpoint pending on")
gdb.execute("starti >/dev/null 2>&1" if 0 else "starti")
import re
entry=int(re.search(r"AT_ENTRY.*?(0x[0-9a-f]+)",gdb.execute("info auxv",to_string=True))[1],16)
gdb.execute(f"tbreak *{entry:#x}"); gdb.execute("continue",to_string=True)
libc=next(o.filename for o in gdb.objfiles() if "libc.so" in o.filename)
gdb.execute("hbreak *(char*)malloc" if 0 else "break *((void*)malloc)",to_string=True)
sets=collections.Counter()
n=0
while n<limit:
    try: gdb.execute("continue",to_string=True)
    except gdb.error as e: break
    t=gdb.selected_thread()
    if t is None or not t.is_valid(): break
    f=gdb.newest_frame(); ch=[]
    f=f.older()
    while f is not None:
        if f.type()!=gdb.INLINE_FRAME: ch.append(f.pc())
        f=f.older()
    sets[tuple(ch)]+=1; n+=1
with open(out,"w") as o:
    for c,k in sets.items(): o.write(f"malloc {k} whole "+" ".join(f"{x:x}@-1" for x in c)+"\n")
gdb.execute("kill") if gdb.selected_inferior().pid else None
