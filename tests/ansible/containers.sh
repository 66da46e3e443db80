# Nodes with systemd as their first process, on a bridge that leads nowhere else.
# shellcheck shell=bash disable=SC2154

BRIDGE=10.77.0.1
declare -A address=([pg1]=10.77.0.11 [pg2]=10.77.0.12 [pg3]=10.77.0.13 [proxy1]=10.77.0.21)
declare -A leader=()

make_network() {
  ip link set lo up
  ip link add repoint0 type bridge
  ip address add "$BRIDGE/24" dev repoint0
  ip link set repoint0 up
  # systemd's folder of containers may be read-only here.
  mkdir -p /run/systemd/nspawn
  mount -t tmpfs tmpfs /run/systemd/nspawn
}

# prepare NODE: its root, a layer over the common one
prepare() {
  local root=$work/$1/root name
  [[ -e $work/key ]] || ssh-keygen -q -t ed25519 -N '' -f "$work/key"
  mkdir -p "$work/$1"/{root,upper,work}
  mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/$1/upper,workdir=$work/$1/work" "$root"
  echo "$1" >"$root/etc/hostname"
  {
    echo '127.0.0.1 localhost'
    for name in "${!address[@]}"; do echo "${address[$name]} $name"; done
  } >"$root/etc/hosts"
  install -D -m 600 -o "$(stat -c %u "$root/home/admin")" "$work/key.pub" "$root/home/admin/.ssh/authorized_keys"
  chown --reference="$root/home/admin" "$root/home/admin/.ssh"
  [[ $1 == proxy1 ]] || give_account "$1"
  # Of the day that the packages were downloaded; there is no way to ask again.
  touch "$root/var/lib/apt/lists"
}

# The cgroups of this process in which systemd keeps its units, with versions 1 and 2.
cgroups() {
  local line
  while read -r line; do
    case $line in
      *:name=systemd:*) echo "/sys/fs/cgroup/systemd${line##*:}" ;;
      0::*) echo "$([[ -d /sys/fs/cgroup/unified ]] && echo /sys/fs/cgroup/unified || echo /sys/fs/cgroup)${line#0::}" ;;
    esac
  done </proc/self/cgroup
}

# Each node has its own: a systemd takes the cgroup that it begins in for the whole.
enter_cgroup() {
  local folder
  for folder in $(cgroups); do
    mkdir -p "$folder/repoint-ansible-${work##*.}-$1"
    echo "$BASHPID" >"$folder/repoint-ansible-${work##*.}-$1/cgroup.procs"
  done
}

release_cgroups() {
  local folder
  for folder in $(cgroups); do
    find "$folder" -depth -path "*/repoint-ansible-${work##*.}-*" -type d -exec rmdir {} + 2>/dev/null || true
  done
}

boot() {
  (
    enter_cgroup "$1"
    exec systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe --machine="$1" \
      --network-bridge=repoint0 --directory="$work/$1/root" </dev/null >"$work/$1/console.log" 2>&1
  ) &
  local container=$!
  wait_for "the first process of $1" pgrep --parent "$container" systemd
  leader[$1]=$(pgrep --parent "$container" systemd)
  wait_for "the network of $1" inside "$1" ip address add "${address[$1]}/24" dev host0
  inside "$1" ip link set host0 up
  wait_for "sshd of $1" bash -c "exec 3<>/dev/tcp/${address[$1]}/22"
}

# inside NODE COMMAND...
inside() {
  nsenter --target "${leader[$1]}" --mount --uts --ipc --net --pid --cgroup --root \
    env --ignore-environment --chdir=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "${@:2}"
}
