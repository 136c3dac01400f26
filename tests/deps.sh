#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# deps.sh "PACKAGE|ALTERNATIVE PACKAGE ...": install what is missing; does nothing, quickly, when all is there.
# Services of packages installed here are neither started nor enabled: tests start their own.
set -eu

specs=$1
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}

if ! command -v dpkg-query >/dev/null; then
	# Another family of distributions: the compiler will say what is missing.
	command -v gcc >/dev/null && command -v clang >/dev/null && command -v bpftool >/dev/null && exit 0
	echo "install by your package manager what these Debian packages hold: $specs" >&2
	exit 1
fi

# dpkg-query fails when it does not know one of the names; it prints the others all the same.
present=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $(echo "$specs" | tr '|' ' ') 2>/dev/null |
	sed -n 's/^installed //p' | tr '\n' ' ') || :

missing=
for spec in $specs; do
	found=
	for name in $(echo "$spec" | tr '|' ' '); do
		case " $present " in *" $name "*) found=1 ;; esac
	done
	[ -n "$found" ] || missing="$missing $spec"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
	echo "missing packages:$missing" >&2
	! command -v apt-get >/dev/null || echo 'to install them: sudo make deps (for the tests: sudo make test)' >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
echo "installing:$missing" >&2
apt-get update -q >&2 || echo 'not all package lists could be refreshed; trying with those at hand' >&2

names=
for spec in $missing; do
	choice=
	for name in $(echo "$spec" | tr '|' ' '); do
		[ -n "$choice" ] || ! apt-cache policy "$name" | grep -q 'Candidate: [^(]' || choice=$name
	done
	if [ -z "$choice" ]; then
		echo "no package named $spec: is the archive complete in /etc/apt/sources.list?" >&2
		exit 1
	fi
	names="$names $choice"
done

made_policy=
cleanup() {
	[ -z "$made_policy" ] || rm -f "$policy"
	made_policy=
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
	made_policy=1
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

apt-get install -q -y --no-install-recommends $names >&2

for name in $names; do
	case $name in
	nginx*) unit=nginx ;;
	postgresql) unit=postgresql ;;
	*) continue ;;
	esac
	! command -v systemctl >/dev/null || systemctl -q disable $unit 2>/dev/null || :
done
