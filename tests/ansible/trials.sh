# What the collection must do, from fresh nodes to a failover.
# shellcheck shell=bash disable=SC2154

# succeed WHAT ENVIRONMENT PLAYBOOK [OPTION...]
succeed() {
  local began=$SECONDS
  play "${@:2}" || fail "$1: $(tail -n 60 "$work/play.log")"
  say "$1: $((SECONDS - began)) s"
  recap >&2
}

# play ENVIRONMENT PLAYBOOK [OPTION...]: as a caller would
play() {
  "$1/bin/ansible-playbook" --inventory "$work/inventory" --private-key "$work/key" --vault-password-file "$work/vault.password" \
    --extra-vars "repoint_package=$deb" "tests/ansible/$2" "${@:3}" >"$work/play.log" 2>&1
}

# What the last play says of each node.
recap() { sed -nE '/^PLAY RECAP/,$ {/changed=/ {s/ +(unreachable|failed|rescued|ignored)=0//g; p}}' "$work/play.log"; }

# In which order the last play went through Patroni's nodes.
order() { sed -n '/^TASK.*Name the user/,/^TASK.*Start the unit/s/^[a-z]*: \[\(pg.\)\].*/\1/p' "$work/play.log" | uniq; }

# What a refused run must leave as it was.
state() {
  local node
  for node in "${!address[@]}"; do
    inside "$node" sh -c 'cat /etc/repoint.toml /etc/haproxy/haproxy.cfg 2>/dev/null | sha256sum
      systemctl show --property MainPID repoint.service haproxy.service'
  done
}

# refused WORDS VARIABLE [OPTION...]: a run with it fails with those words, on one node, and changes none
refused() {
  local before
  before=$(state)
  ! play "$new" site.yml --extra-vars "$2" "${@:3}" || fail "it was not refused: $2"
  grep -q -- "$1" "$work/play.log" || fail "the refusal does not say \`$1\`: $(tail -n 60 "$work/play.log")"
  say "refused: $(grep -o -- "$1.\{0,60\}" "$work/play.log" | head -n 1)"
  recap >&2
  [[ $(recap | grep -c failed=) == 1 ]] || fail "not one node failed"
  ! recap | grep failed= | grep --quiet "$(primary)" || fail "it was tried on the primary first"
  [[ $(state) == "$before" ]] || fail "a node is not as before"
}

# primary: the node that is; replicas: the others
primary() {
  local node
  for node in pg1 pg2 pg3; do
    ! curl --silent --fail --output /dev/null "http://${address[$node]}:8008/primary" || echo "$node"
  done
}
replicas() { printf '%s\n' pg1 pg2 pg3 | grep -v "$(primary)"; }
is_primary() { [[ $(primary) == pg* ]]; }

pid_of() { inside "$1" systemctl show --property MainPID --value "$2"; }
journal() { inside "$1" journalctl --no-pager --output cat --unit "$2"; }
has_said() { journal "$1" "$2" | grep --quiet -- "$3"; }

try_runs() {
  succeed "Patroni's cluster" "$new" cluster.yml
  wait_for "the primary" is_primary
  succeed "check mode on fresh nodes" "$new" site.yml --check --limit pg1,proxy1
  inside pg1 sh -c '! test -e /usr/bin/repoint && ! test -e /etc/repoint.toml' || fail "check mode changed something"
  succeed "the first run" "$new" site.yml
  [[ $(order | tail -n 1) == "$(primary)" ]] || fail "the primary $(primary) was not the last: $(order)"
  succeed "the second run, with the oldest Ansible" "$old" site.yml
  ! recap | grep --quiet 'changed=[1-9]' || fail "the second run changed something: $(grep -B 3 '^changed' "$work/play.log")"
}

# The role's file is infra/haproxy's but for the first line, the user of the socket and the addresses.
try_files() {
  say "HAProxy's configuration is infra/haproxy's"
  diff <(sed 's/10\.0\.\([123]\)\.11/10.77.0.1\1/; s/user postgres/user repoint/' infra/haproxy/haproxy.cfg) \
    <(inside proxy1 sed 1d /etc/haproxy/haproxy.cfg) >&2 || fail "the role's haproxy.cfg and infra/haproxy's differ"
  [[ $(inside pg1 stat --format '%a %U %G' /etc/repoint.toml /etc/repoint.password | uniq) == '640 root postgres' ]] ||
    fail "the configuration and the secret have other rights"
  [[ $(inside pg1 cat /etc/repoint.password) == "it's a \"secret\"" ]] || fail "the secret is another one"
}

# What `repoint doctor` knows of HAProxy and of callbacks, it does not find.
try_doctor() {
  say "doctor finds nothing wrong with what the roles have set up"
  doctor proxy1 >"$work/doctor.log"
  doctor pg1 --local >>"$work/doctor.log"
  grep --quiet '^batman$' "$work/doctor.log" || fail "doctor: $(<"$work/doctor.log")"
  ! grep -E '  (haproxy|callback)[a-z]*_' "$work/doctor.log" >&2 || fail "doctor has found that"
}

# Its exit status is about the account and the cluster, which are none for production.
doctor() {
  inside "$1" env AWS_ACCESS_KEY_ID=lab AWS_SECRET_ACCESS_KEY=lab AWS_ENDPOINT_URL="$ENDPOINT" \
    repoint doctor --config /etc/repoint.toml "${@:2}" 2>&1 || true
}

try_refusals() {
  refused 'target_groups' '{"repoint_config": {"cluster": [{"scope": "batman", "target_groups": []}]}}'
  refused 'nonsense' '{"haproxy_extra_config": "nonsense\n"}' --limit proxy1
}

try_change() {
  local replica proxy daemon
  replica=$(replicas | head -n 1)
  proxy=$(pid_of proxy1 haproxy) daemon=$(pid_of "$replica" repoint)
  sed -i 's/^repoint_config:$/&\n  watch:\n    interval_seconds: 0.5/' "$work/inventory/group_vars/postgres/vars.yml"
  succeed "a change" "$new" site.yml --limit "$replica,proxy1" --extra-vars haproxy_maxconn=4001
  wait_for "the daemon's new configuration" has_said "$replica" repoint 'configuration reloaded'
  [[ $(pid_of proxy1 haproxy) == "$proxy" && $(pid_of "$replica" repoint) == "$daemon" ]] ||
    fail "something was restarted, not reloaded"
  inside proxy1 grep --quiet 'pg[123]' /var/lib/haproxy/server-state || fail "the reload kept no state of the servers"
}

try_failover() {
  local old_primary group zone node
  old_primary=$(primary)
  read -r group zone <"$work/account"
  say "the primary's node is killed"
  "$lab/bin/python" -B tests/ansible/follow.py "$ENDPOINT" "$group" "$zone" "${address[proxy1]}:5000" \
    "${leader[$old_primary]}" "${address[pg1]}" "${address[pg2]}" "${address[pg3]}" >&2 ||
    fail "the endpoints: $(for node in $(replicas) proxy1; do journal "$node" repoint | tail -n 20; done)"
  has_said "$(primary)" repoint 'woken by a trigger' || fail "no callback of Patroni has reached the daemon"
}

# A package from a URL, and the timer, on a replica that is left.
try_other_ways() {
  local replica sum
  for replica in $(replicas); do inside "$replica" true 2>/dev/null && break; done
  next_package
  sum=$(sha256sum <"$work/served/repoint.deb" | cut -d ' ' -f 1)
  ! play "$new" site.yml --limit "$replica" --extra-vars "repoint_package=$SERVED" ||
    fail "a package from a URL without its checksum was not refused"
  succeed "a newer package from a URL, and the timer" "$new" site.yml --limit "$replica" --extra-vars \
    "repoint_package=$SERVED repoint_package_checksum=sha256:$sum repoint_entry_point=run"
  [[ $(inside "$replica" dpkg-query --show repoint) == *.next ]] || fail "it is not installed"
  [[ $(inside "$replica" systemctl is-active repoint.service repoint-run.timer) == $'inactive\nactive' ]] ||
    fail "the daemon runs, or the timer does not"
}

SERVED=http://$BRIDGE:8000/repoint.deb

# The same package as a newer one, on a web server.
next_package() {
  mkdir "$work/served"
  dpkg-deb --raw-extract "$deb" "$work/next"
  sed -i 's/^Version: .*/&.next/' "$work/next/DEBIAN/control"
  dpkg-deb -Znone --build "$work/next" "$work/served/repoint.deb" >/dev/null
  /usr/bin/python3 -m http.server --bind "$BRIDGE" --directory "$work/served" 8000 >"$work/served.log" 2>&1 &
  wait_for "the web server" curl --silent --fail --output /dev/null "$SERVED"
}
