# What an installed package must do, Debian's and the RPM alike.
# shellcheck shell=bash disable=SC2154

units=(repoint.service repoint-run.service repoint-run.timer)

try_program() {
  expect "repoint $(cargo metadata --locked --no-deps --format-version 1 |
    jq -r '.packages[] | select(.name == "repoint").version')" repoint --version
  expect 'repoint-plan(1)' man repoint
  expect 'without checking or changing anything' man repoint-test-alert
  expect '-F _repoint' bash -c \
    '. /usr/share/bash-completion/bash_completion; _comp_load repoint 2>/dev/null || _completion_loader repoint; complete -p repoint'
  expect 'nothing is configured' sh -c 'repoint check --config /etc/repoint.toml || echo nothing is configured'
  inside cp /usr/share/doc/repoint/examples/repoint.toml /etc/
  expect 'scope = "batman"' repoint check --config /etc/repoint.toml
}

judge_units() {
  local unit said
  for unit in "${units[@]}"; do
    said=$(inside systemd-analyze verify --man=yes "/usr/lib/systemd/system/$unit" 2>&1) || fail "$unit: $said"
    [[ $said != *repoint* ]] || fail "$unit: $said"
    said=$(enabled "$unit")
    [[ $said == disabled || $said == static ]] || fail "$unit is $said after the installation"
  done
  inside systemd-analyze security --offline=yes --threshold=20 repoint.service repoint-run.service \
    >"$work/security.log" || fail "$(grep -v '✓' "$work/security.log")"
  grep 'Overall exposure' "$work/security.log" >&2
}

enabled() { inside systemctl is-enabled "$1" || true; }

# What the operator has done before an upgrade, and what must be as it was afterwards.
operate() {
  inside systemctl --quiet enable repoint.service
  inside mkdir /var/lib/repoint
  echo '{}' >"$root/var/lib/repoint/state.json"
  echo '# mine' >>"$root/etc/repoint.toml"
  operated=$(sha256sum "$root/var/lib/repoint/state.json" "$root/etc/repoint.toml")
}

as_operated() {
  same "$1 changed configuration or state" "$operated" \
    "$(sha256sum "$root/var/lib/repoint/state.json" "$root/etc/repoint.toml")"
}

upgraded() {
  as_operated "the upgrade"
  [[ $(enabled repoint.service) == enabled ]] || fail "the upgrade disabled repoint.service"
  [[ $(enabled repoint-run.timer) == disabled ]] || fail "the upgrade enabled repoint-run.timer"
  calls_have 'restart.* repoint\.service'
  calls_lack '(^| )(start|enable|disable|preset) '
}
