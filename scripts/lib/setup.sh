# Shared by the scripts beside it: find Python, make .venv, install what the lock files name.
# Source it from a script that has done `set -euo pipefail`; it leaves you in the project's root.

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# Debian keeps daemons such as mosquitto where an ordinary user's PATH does not look.
PATH="$PATH:/usr/sbin:/sbin"

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# How to run apt-get without asking anybody: nothing for root, `sudo -n` where that works, else fail.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

may_install() { command -v apt-get >/dev/null && as_root true; }

# install_debian PACKAGE... – the package lists are fetched only when the ones at hand do not do.
install_debian() {
    local log
    may_install || return 1
    say "installing from Debian: $*"
    log="$(mktemp)"
    if as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 ||
        { as_root apt-get update >"$log" 2>&1 &&
          as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1; }
    then
        rm -f "$log"
    else
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
}

# Asked of the interpreter itself: a version manager's stub can stand on the PATH and start nothing.
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3.14 python3; do
        if is_new_enough "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

# The newest interpreter that is newer than `python`: on the PATH, or where a version manager keeps ours.
find_newest_python() {
    local minor ours candidate versions
    ours="$("$python" -c 'import sys; print(sys.version_info[1])')"
    versions="$(dirname "$("$python" -c 'import sys; print(sys.base_prefix)')")"
    for minor in 14 13 12; do
        [ "$minor" -gt "$ours" ] || return 1
        for candidate in "python3.$minor" "$versions/3.$minor".*/bin/python3; do
            if is_new_enough "$candidate"; then
                "$candidate" -c 'import sys; print(sys.executable)'
                return
            fi
        done
    done
    return 1
}

require_python() {
    python="$(find_python)" && return
    install_debian python3 python3-venv && python="$(find_python)" && return
    die "Trunkline needs Python 3.11 or later. Type: sudo apt-get install python3 python3-venv" \
        "(or set PYTHON to an interpreter that is new enough)"
}

# make_venv FOLDER – with ensurepip, which Debian keeps in a package of its own.
make_venv() {
    local version
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version="$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
        install_debian "$version" || die "the venv module is missing. Type: sudo apt-get install $version"
    fi
    "$python" -m venv --clear "$1"
}

# Sets `uv` to a command that works, or to nothing: then pip does the same, more slowly.
find_uv() {
    local candidate
    uv=""
    for candidate in "$PWD/.venv-tools/bin/uv" uv; do
        if "$candidate" --version >/dev/null 2>&1; then
            uv="$candidate"
            return
        fi
    done
    say "fetching uv, which installs the rest"
    make_venv .venv-tools
    if .venv-tools/bin/python -m pip install --quiet --require-hashes -r requirements/tools.lock; then
        uv="$PWD/.venv-tools/bin/uv"
    else
        say "uv could not be had; pip does it"
    fi
}

# What decides whether an environment is still right: the interpreter and the files it was made from.
fingerprint() { { "$python" -VV; cat "$@"; } | sha256sum | cut -d ' ' -f 1; }

is_fresh() { [ -x "$1/bin/python" ] && [ "$(cat "$1/.installed-$2" 2>/dev/null)" = "$3" ]; }

pip_install() {
    local folder="$1"
    shift
    if [ -n "$uv" ]; then
        VIRTUAL_ENV="$PWD/$folder" "$uv" pip install --quiet "$@"
    else
        "$folder/bin/python" -m pip install --quiet "$@"
    fi
}

# An environment made with another interpreter, or by uv where only pip is at hand, is made anew.
renew_venv() {
    local folder="$1"
    if [ -x "$folder/bin/python" ] && [ "$("$folder/bin/python" -VV)" = "$("$python" -VV)" ] &&
        { [ -n "$uv" ] || "$folder/bin/python" -m pip --version >/dev/null 2>&1; }
    then
        return
    fi
    if [ -n "$uv" ]; then
        rm -rf "$folder"
        "$uv" venv --quiet --python "$python" "$folder"
    else
        make_venv "$folder"
    fi
}

# install FOLDER ARGUMENTS... – by uv, and by pip where uv cannot: they trust different certificates.
install() {
    local folder="$1"
    renew_venv "$folder"
    pip_install "$@" && return
    [ -n "$uv" ] || die "could not install into $folder; the lines above say why"
    say "trying again with pip"
    uv=""
    install "$@"
}

# provide_venv FOLDER LOCK – the environment FOLDER with what requirements/LOCK.lock names.
provide_venv() {
    local folder="$1" lock="$2" mark
    mark="$(fingerprint "requirements/$lock.lock")"
    is_fresh "$folder" "$lock" "$mark" && return
    [ -n "${uv+set}" ] || find_uv
    say "installing requirements/$lock.lock into $folder ($("$python" -V))"
    install "$folder" --require-hashes -r "requirements/$lock.lock"
    printf '%s\n' "$mark" >"$folder/.installed-$lock"
}

# provide_project LOCK [FOLDER] – .venv, or FOLDER, with the lock's packages and the project itself, editable.
provide_project() {
    local mark folder="${2:-.venv}"
    provide_venv "$folder" "$1"
    mark="$(fingerprint pyproject.toml)"
    is_fresh "$folder" project "$mark" && return
    [ -n "${uv+set}" ] || find_uv
    install "$folder" --no-deps --no-build-isolation --editable .
    printf '%s\n' "$mark" >"$folder/.installed-project"
}

# Two scripts started at once take turns here.
if command -v flock >/dev/null; then
    exec 9>>.venv-lock
    flock 9
fi
require_python
