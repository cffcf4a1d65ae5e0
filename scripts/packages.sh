# shellcheck shell=bash
# shellcheck disable=SC2154 # what lib.sh sets
# SPDX-License-Identifier: GPL-2.0-only
# Debian's packages without touching the machine: an apt of its own for each suite, which
# knows nothing of what is installed, and a chroot to build in. Sourced by lib.sh.
#
#   apt-SUITE/          sources, lists: SUITE with its updates, security and backports
#   chroot-SUITE-HASH/  a small SUITE with the compiler that its kernels are built by

mirror=http://deb.debian.org
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# What building modules, and the kernel's own tests, takes.
chroot_packages=(gcc g++ make libc6-dev bc bison flex libelf-dev libssl-dev zlib1g-dev uuid-dev
	pahole kmod rsync xz-utils)

# Commands that need root, from who is not.
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)

# Debian's name for what this machine runs: bookworm, trixie ...
host_suite()
{
	local VERSION_CODENAME=''
	# shellcheck source=/dev/null
	. /etc/os-release
	echo "$VERSION_CODENAME"
}

# Set apt_options to those that make of apt the one of suite $1, whose folder is $2. What is
# installed, and where archives go, is left to the caller.
apt_options_of()
{
	apt_options=(-o "Dir::State::lists=$2/lists" -o "Dir::Etc::sourcelist=$2/sources.list"
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null
		-o Dir::Etc::preferencesparts=/dev/null
		-o APT::Architecture=amd64 -o APT::Architectures::=amd64
		-o APT::Sandbox::User=root -o Acquire::Languages=none)
}

# suite_apt SUITE COMMAND...: apt-get or apt-cache, where nothing is installed.
suite_apt()
{
	local dir=$cache/apt-$1 command=$2 apt_options
	once "$dir" make_apt "$1"
	apt_options_of "$1" "$dir"
	shift 2
	"$command" "${apt_options[@]}" -o "Dir::State=$dir" -o "Dir::State::status=$dir/status" \
		-o "Dir::Cache=$dir" -o "Dir::Cache::archives=$dir/archives" "$@"
}

# The sources of all of suite $1, as apt's list has them; $2 comes before each address.
sources_of()
{
	local part
	for part in "debian $1" "debian $1-updates" "debian $1-backports" \
		"debian-security $1-security"; do
		echo "deb ${2:+$2 }$mirror/$part main"
	done
}

make_apt()
{
	local suite=$1 dir=$2
	mkdir -p "$dir"/{lists,archives}/partial
	: >"$dir/status"
	sources_of "$suite" "[signed-by=$keyring]" >"$dir/sources.list"
}

# Have the lists of suite $1 as they are today. Its one cost is some seconds, and 10 MB.
refresh_suite()
{
	local lock
	mkdir -p "$cache"
	exec {lock}>"$cache/.lock-lists-$1"
	flock "$lock"
	say "reading the lists of Debian's $1"
	suite_apt "$1" apt-get -qq -o APT::Update::Error-Mode=any update {lock}>&- >&2 ||
		die "the lists of Debian's $1 cannot be read"
	exec {lock}>&-
}

# Lists there must be, if not today's: who cleans the cache up may take them.
have_lists()
{
	compgen -G "$cache/apt-$1/lists/*_InRelease" >/dev/null || refresh_suite "$1"
}

has_package()
{
	have_lists "$1" || return
	suite_apt "$1" apt-cache show --no-all-versions "$2" >/dev/null 2>&1
}

# unpack_packages SUITE DIR NAME=VERSION...: without running anything of theirs.
unpack_packages()
{
	local suite=$1 dir=$2 package
	shift 2
	have_lists "$suite" || return
	say "fetching and unpacking $*"
	mkdir "$dir/archives"
	(cd "$dir/archives" && suite_apt "$suite" apt-get -qq download "$@") ||
		die "cannot be fetched; if Debian has another version now, see \"make kernels\": $*"
	for package in "$dir"/archives/*.deb; do
		dpkg -x "$package" "$dir" || die "$package cannot be unpacked"
	done
	rm -r "$dir/archives"
}

# unpack_closure SUITE[-backports] DIR NAME[=VERSION]...: the same, with all that they depend
# on. A backport counts only where -backports is said.
unpack_closure()
{
	local suite=$1 dir=$2 package
	shift 2
	have_lists "${suite%-backports}" || return
	say "fetching and unpacking $* with what they depend on"
	mkdir -p "$dir/archives/partial"
	suite_apt "${suite%-backports}" apt-get -qq -y -o "Dir::Cache::archives=$dir/archives" \
		--no-install-recommends --download-only -t "$suite" install "$@" >&2 ||
		die "cannot be fetched; if Debian has another version now, see \"make kernels\": $*"
	for package in "$dir"/archives/*.deb; do
		dpkg -x "$package" "$dir" || die "$package cannot be unpacked"
	done
	rm -r "$dir/archives"
}

# Install packages of suite $1, whose sources this machine need not have, with what they
# depend on; of what is installed only what they need newer is touched.
install_from()
{
	local suite=$1 archives apt_options
	shift
	refresh_suite "${suite%-backports}"
	say "installing $* of $suite"
	archives=$(mktemp -d)
	mkdir "$archives/partial"
	apt_options_of "${suite%-backports}" "$cache/apt-${suite%-backports}"
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "${apt_options[@]}" \
		-o "Dir::Cache=$archives" -o "Dir::Cache::archives=$archives" \
		-o Dpkg::Use-Pty=0 --no-install-recommends -t "$suite" install "$@" >&2
	"${as_root[@]}" rm -rf "$archives"
}

chroot_of()
{
	local dir
	dir=$cache/chroot-$1-$(echo "${chroot_packages[*]}" | hash_of)
	once "$dir" make_chroot "$1"
	echo "$dir"
}

make_chroot()
{
	local IFS=,
	say "making a chroot of Debian's $1 to build in (two minutes)"
	make_small_suite "$1" "$2" --include="${chroot_packages[*]}"
}

# A small SUITE at DIR: make_small_suite SUITE DIR [OPTION OF DEBOOTSTRAP]...
make_small_suite()
{
	local suite=$1 dir=$2
	shift 2
	"${as_root[@]}" debootstrap --variant=minbase --keyring="$keyring" "$@" \
		"$suite" "$dir" "$mirror/debian" >"$dir.log" 2>&1 || {
		tail -n 20 "$dir.log"
		clear_away "$dir"
		die "debootstrap failed, see $dir.log"
	}
	rm -f "$dir.log"
	"${as_root[@]}" rm -rf "$dir"/var/cache/apt/archives/*.deb
}
