#!/bin/sh
# programs.sh: install the SIP programs that tests call and are called by, where that is possible: on Debian and its
# kin, as root, with apt-get. Only what is missing, and quietly.
#
# Elsewhere the tests that need a missing program are skipped, and this says which. CI (CI=true) skips nothing: there
# a missing program is a failure, and sudo is used where it asks for no password. NO_INSTALL=1 installs nothing.
set -u

# program:package
wanted="sipp:sip-tester baresip:baresip-core espeak-ng:espeak-ng flite:flite sox:sox"

missing() {
	for pair in $wanted; do
		command -v "${pair%%:*}" >/dev/null 2>&1 || printf '%s ' "${pair#*:}"
	done
}

# Exits with the reason why the packages could not be installed, if so.
install() {
	if [ -n "${NO_INSTALL:-}" ]; then
		echo "NO_INSTALL is set"
		return 1
	elif ! command -v apt-get >/dev/null 2>&1; then
		echo "there is no apt-get"
		return 1
	fi
	become=
	if [ "$(id -u)" != 0 ]; then
		if [ "${CI:-}" != true ] || ! sudo -n true 2>/dev/null; then
			echo "only root may; try: sudo apt-get install $*"
			return 1
		fi
		become="sudo -n"
	fi
	get="$become env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o Acquire::http::Timeout=20 -o DPkg::Lock::Timeout=60"
	add="$get install --yes --no-install-recommends"
	# A fresh machine has no list of packages yet.
	if $add "$@" >/dev/null 2>&1 || { $get update >/dev/null 2>&1; why=$($add "$@" 2>&1 >/dev/null); }; then
		return 0
	fi
	# One by one: what one package lacks must not keep the others away.
	for package in "$@"; do
		$add "$package" >/dev/null 2>&1
	done
	echo "apt-get failed: $(printf '%s' "${why:-}" | tail -n 1)"
	return 1
}

packages=$(missing)
[ -z "$packages" ] && exit 0
# shellcheck disable=SC2086 # one word for each package
why=$(install $packages)
packages=$(missing)
[ -z "$packages" ] && exit 0
if [ "${CI:-}" = true ]; then
	echo "not installed: $packages($why); CI skips no test" >&2
	exit 1
fi
echo "not installed: $packages($why); the tests that need them are skipped" >&2
