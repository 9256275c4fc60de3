#!/usr/bin/env bash
# Proves that Parley sets itself up: builds a Debian with only git, make and python3, clones this checkout
# into it, and there does what the README says: `make run` until it is ready, Ctrl-C, `make test`.
#
#   sudo scripts/fresh-root.sh [FOLDER]         (default .fresh-root; needs debootstrap and 4 GB)
#
# FRESH_STEPS    which of "run test" to do (default both)
# FRESH_SUITE    Debian release (default bookworm);  FRESH_MIRROR  where from (default: as apt is set up here)
# PARLEY_PORT_*  ports for the server; the root shares this machine's network
# ARGS           further arguments for pytest
#
# The bare system is kept as FOLDER/SUITE.tar and unpacked anew each time. How this machine reaches the package
# registries (pip.conf, apt, PIP_*, proxies, certificates) is carried in, because it is no part of the project.
set -euo pipefail

if [ "$(id -u)" -ne 0 ]; then
  echo "fresh-root.sh makes a chroot: run it as root" >&2
  exit 2
fi
# Own mounts and processes: whatever happens, both are gone when this script is.
if [ -z "${FRESH_INSIDE:-}" ]; then
  FRESH_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$0" "$@"
fi

readonly checkout=$(cd "$(dirname "$0")/.." && pwd)
readonly suite=${FRESH_SUITE:-bookworm}
mkdir -p "${1:-$checkout/.fresh-root}"
readonly folder=$(cd "${1:-$checkout/.fresh-root}" && pwd)
readonly root=$folder/$suite tarball=$folder/$suite.tar

step() { printf '\n=== %s (%ss)\n' "$*" "$SECONDS"; }

bootstrap() {
  command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -qq -y debootstrap; }
  local mirror=${FRESH_MIRROR:-$(apt-cache policy 2>/dev/null | grep -oE 'https?://[^ ]+/debian( |$)' | head -n 1)}
  # debootstrap's smallest variant has no certificates and no pip either.
  debootstrap --variant=minbase --include=git,make,python3 "$suite" "$root" ${mirror:+"${mirror%% *}"} \
    >"$folder/debootstrap.log" || { tail -n 20 "$folder/debootstrap.log" >&2 && exit 1; }
  tar -C "$root" -cf "$tarball.part" . && mv "$tarball.part" "$tarball"
}

# Copies files and folders of this machine to the same place in the root, when they exist.
carry() {
  local path
  for path in "$@"; do
    [ -e "$path" ] || continue
    mkdir -p "$root$(dirname "$path")"
    cp -aL "$path" "$root$(dirname "$path")/"
  done
}

step "A bare Debian $suite in $root"
rm -rf --one-file-system "$root"
mkdir -p "$root"
if [ -e "$tarball" ]; then tar -C "$root" -xf "$tarball"; else bootstrap; fi

step "This machine's way to the package registries"
carry /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/apt/apt.conf.d /etc/ssl/certs /usr/local/share/ca-certificates
# Another release than this machine's keeps the one source that debootstrap gave it.
if [ "$suite" = "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" ]; then
  rm -f "$root/etc/apt/sources.list"
  carry /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/keyrings
fi
rm -f "$root"/etc/apt/apt.conf.d/*packagekit* "$root"/etc/apt/apt.conf.d/*appstream*
for config in "$HOME/.config/pip" "$HOME/.pip"; do
  [ -d "$config" ] && mkdir -p "$root/root/${config#"$HOME"/}" && cp -aL "$config/." "$root/root/${config#"$HOME"/}/"
done
environment=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "ARGS=${ARGS:-}")
while IFS= read -r setting; do environment+=("$setting"); done < <(
  env | grep -E '^(PIP_[A-Z_]+|PARLEY_[A-Z_]+|(https?|no|all|HTTPS?|NO|ALL)_(proxy|PROXY)|SSL_CERT_(FILE|DIR)|[A-Z]+_CA_BUNDLE)='
)

mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
step "A clone of $(git -C "$checkout" -c safe.directory="$checkout" rev-parse --short HEAD)"
git -c safe.directory="$checkout" -c safe.directory="$checkout/.git" clone --quiet --no-hardlinks "$checkout" "$root/srv/parley"
git -C "$checkout" -c safe.directory="$checkout" diff --quiet HEAD -- || echo "(what is not committed is not in it)"

inside() { env -i "${environment[@]}" chroot "$root" sh -c "cd /srv/parley && $1"; }

for name in ${FRESH_STEPS:-run test}; do
  case $name in
    run)
      step "make run, until it is ready; then Ctrl-C"
      inside "python3 scripts/run_until_ready.py"
      ;;
    test)
      step "make test"
      inside "make test"
      ;;
    *)
      echo "FRESH_STEPS: run or test, not $name" >&2
      exit 2
      ;;
  esac
done
step "Done: nothing else was needed"
