# A clean root: a small Debian or Ubuntu in $root, in which every call of systemctl is written down.
# shellcheck shell=bash disable=SC2154

install_tools() {
  local tool missing=()
  for tool in debootstrap:debootstrap rpmbuild:rpm jq:jq; do
    command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  { apt-get -qq update &&
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends \
      "${missing[@]}"; } >/dev/null
}

make_root() {
  say "a clean root"
  # shellcheck source=/dev/null
  debootstrap --variant=minbase --include=bash-completion,ca-certificates,man-db,procps,systemd \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" >"$work/debootstrap.log" 2>&1 ||
    fail "debootstrap: $(tail -n 5 "$work/debootstrap.log")"
  # It is there on a host that a debootstrap has just left; it keeps manual pages out of a container.
  rm -f "$root/etc/dpkg/dpkg.cfg.d/excludes"
  mount -t proc proc "$root/proc"
  record_systemctl
}

# Packages ask systemctl only where they find a folder of a booted systemd. There is none behind it: enabling works on the
# files alone, and what would start or stop is only written down.
record_systemctl() {
  mv "$root/usr/bin/systemctl" "$root/usr/bin/systemctl-real"
  cat >"$root/usr/bin/systemctl" <<'TEXT'
#!/bin/sh
echo "$*" >>/run/systemctl.log
SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl-real "$@"
TEXT
  chmod 755 "$root/usr/bin/systemctl"
  mkdir -p "$root/run/systemd/system"
}

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }

# recorded COMMAND...: runs it and sets `calls`, what it asked of systemctl for our units, in one line each
recorded() {
  : >"$root/run/systemctl.log"
  "$@" >"$work/log" 2>&1 || fail "\`$*\`: $(cat "$work/log")"
  calls=$(grep -E 'repoint|daemon-reload' "$root/run/systemctl.log" || true)
}

# calls_have PATTERN, calls_lack PATTERN: an extended regular expression, over one call
calls_have() { grep -Eq "$1" <<<"$calls" || fail "no call of systemctl is \`$1\`: $calls"; }
calls_lack() { ! grep -Eq "$1" <<<"$calls" || fail "a call of systemctl is \`$1\`: $calls"; }

# Everything that is there, but for what dpkg, rpm and the manual's index write about every package.
listing() {
  (cd "$root" && find . -path ./proc -prune -o -path './var/lib/dpkg/*' -prune -o -path './var/lib/rpm*' -prune \
    -o -path './var/cache/man/*' -prune -o -path './run/*' -prune -o -path ./var/log/dpkg.log -prune -o -print |
    LC_ALL=C sort)
}

# expect WORDS COMMAND...: that the command, inside, says WORDS
expect() {
  local said
  said=$(inside "${@:2}" 2>&1) || fail "\`${*:2}\` failed: $said"
  [[ $said == *"$1"* ]] || fail "\`${*:2}\` does not say \`$1\`: $said"
}

# same WHAT EXPECTED FOUND
same() {
  diff <(echo "$2") <(echo "$3") >&2 || fail "$1"
}
