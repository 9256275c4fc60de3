#!/usr/bin/env bash
# Makes the virtual environment ready: finds a Python, installs the system packages that are missing,
# then Parley and its dependencies. Called by the Makefile: `setup.sh run` for what the server needs,
# `setup.sh dev` for the tests and linters too. Settings of pip (PIP_*, pip.conf) are honoured.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly venv=.venv
readonly purpose=${1:?run or dev}

say() { printf '• %s\n' "$*"; }
fail() {
  printf '✗ %s\n' "$*" >&2
  exit 1
}

# Installs Debian packages, as root or through sudo; says what to ask for when neither is possible.
install_system_packages() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "Parley needs the system packages: $*. Ask an administrator to run: apt-get install $*"
    as_root=(sudo)
  fi
  command -v apt-get >/dev/null || fail "Parley needs what Debian calls: $*. Install it with this system's package manager."
  say "Installing system packages: $*"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install $*: see above"
  fi
  rm -f "$log"
}

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if is_recent "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# One line for each package that pip fetches, instead of silence or a wall of text.
narrate() {
  local line name version size
  while IFS= read -r line; do
    if [[ $line =~ ^[[:space:]]*(Downloading|Using\ cached)[[:space:]]+([^[:space:]]*/)?([A-Za-z0-9_.]+)-([0-9][^-]*)-[^[:space:]]*[[:space:]]\(([^\)]*)\) ]]; then
      name=${BASH_REMATCH[3]} version=${BASH_REMATCH[4]} size=${BASH_REMATCH[5]}
      printf '    %s %s (%s)\n' "${name//_/-}" "$version" "$size"
    elif [[ $line == Installing\ collected* ]]; then
      say "Unpacking them"
    fi
  done
}

python=$(find_python) || {
  install_system_packages python3.11
  python=$(find_python) || fail "Parley needs Python 3.11 or newer; set PYTHON=/path/to/python3"
}

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    install_system_packages "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  fi
  say "Making a virtual environment in $venv ($("$python" --version))"
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi

# Hosted engines are reached over TLS; pip brings its own certificates, they do not.
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/cert.pem ] || install_system_packages ca-certificates

# The tests start a Postgres of their own, beside whatever runs already.
if [ "$purpose" = dev ] && ! compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null && ! command -v initdb >/dev/null; then
  install_system_packages postgresql
fi

case $purpose in
  run) target="." ;;
  dev) target=".[dev]" ;;
  *) fail "setup.sh: run or dev, not $purpose" ;;
esac
# `pip install` with these arguments, and a line for each package it fetches.
install() {
  local log
  log=$(mktemp)
  if ! "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off "$@" 2>&1 | tee "$log" | narrate; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "pip could not install Parley's packages: see above. Check the network or pip's settings, then run make again."
  fi
  rm -f "$log"
}

say "Installing Parley's Python packages and speech models (some 700 MB to fetch the first time)"
install -e "$target"
if [ "$purpose" = dev ]; then
  # The tests want one file of weights out of this package. Its dependencies would bring 200 MB and put older versions
  # of protobuf, soxr and soundfile in the place of those that `make run` uses.
  install --no-deps "$("$venv/bin/python" -c '
import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["project"]["optional-dependencies"]["smart-turn"])')"
fi
[ "$purpose" = dev ] && touch "$venv/.ready-dev"
touch "$venv/.ready-run"
say "Set-up is complete"
