# The nodes' system: a small Debian or Ubuntu of this machine's own release, with what is there before the roles come: sshd,
# etcd, PostgreSQL and Patroni. HAProxy is downloaded only, since the nodes have no way out.
# shellcheck shell=bash disable=SC2154

PACKAGES=(etcd-server iproute2 openssh-server patroni postgresql python3-apt python3-etcd sudo xz-utils)
DOWNLOADED=(haproxy socat)

install_tools() {
  local tool missing=()
  for tool in debootstrap:debootstrap systemd-nspawn:systemd-container ssh:openssh-client jq:jq curl:curl ip:iproute2; do
    command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
  done
  /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  { apt-get -qq update &&
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends \
      "${missing[@]}"; } >/dev/null
}

# Sets `base`; made once, and kept.
make_root() {
  local id codename components
  # shellcheck source=/dev/null
  read -r id codename < <(. /etc/os-release && echo "$ID $VERSION_CODENAME")
  components=main
  [[ $id == debian ]] || components=main,universe
  base=/var/cache/repoint-ansible/$codename-$(cksum <<<"${PACKAGES[*]} ${DOWNLOADED[*]}" | cut -d ' ' -f 1)
  [[ ! -d $base ]] || return 0
  say "a root in $base"
  mkdir -p "${base%/*}"
  rm -rf "$base.part"
  { debootstrap --variant=minbase --components="$components" --include=ca-certificates,dbus,systemd,systemd-sysv \
    "$codename" "$base.part" && fill_root "$base.part"; } >"$work/root.log" 2>&1 ||
    fail "the root: $(tail -n 5 "$work/root.log")"
  mv "$base.part" "$base"
}

fill_root() {
  local install=(chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get --yes install --no-install-recommends)
  # No service starts in a chroot, and PostgreSQL's package makes no cluster of its own.
  install -D -m 755 /dev/stdin "$1/usr/sbin/policy-rc.d" <<<$'#!/bin/sh\nexit 101'
  install -D -m 644 /dev/stdin "$1/etc/postgresql-common/createcluster.conf" <<<'create_main_cluster = false'
  chroot "$1" apt-get update
  "${install[@]}" "${PACKAGES[@]}"
  "${install[@]}" --download-only "${DOWNLOADED[@]}"
  rm "$1/usr/sbin/policy-rc.d"
  # The playbook of the cluster starts them, with their configuration.
  chroot "$1" systemctl disable etcd patroni
  chroot "$1" useradd --create-home --shell /bin/bash admin
  echo 'admin ALL=(ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/admin"
}
