# The RPM, with rpm's own program and a database in the root.
# shellcheck shell=bash disable=SC2154

make_rpm() {
  say "the RPM"
  strip -o "$work/repoint" target/debug/repoint
  infra/package/rpm "$work/repoint" "$(uname -m)" "$work"
  rpm=$(echo "$work"/repoint-*.rpm)
}

# The same program as a newer package.
next_rpm() {
  infra/package/pages "$root/usr/bin/repoint"
  mkdir "$work/next"
  infra/package/rpm "$root/usr/bin/repoint" "$(uname -m)" "$work/next" 2
  mv "$work"/next/repoint-*.rpm "$work/next.rpm"
  rm -r target/package/man target/package/completions
}

ask_rpm() { command rpm --root "$root" --dbpath /var/lib/rpm "$@"; }

# There is no database of what Debian has installed, so dependencies are not looked up but compared.
change_rpm() { recorded ask_rpm --nodeps "$@"; }

check_header() {
  same "the RPM requires something else" "$(LC_ALL=C sort <<'TEXT'
/bin/sh
ca-certificates
glibc >= 2.28
rpmlib(CompressedFileNames) <= 3.0.4-1
rpmlib(FileDigests) <= 4.6.0-1
rpmlib(PayloadFilesHavePrefix) <= 4.0-1
rpmlib(PayloadIsXz) <= 5.2-1
TEXT
  )" "$(command rpm --query --requires --package "$rpm" | LC_ALL=C sort --unique)"
  same "RHEL 8's rpm reads another payload" xz "$(command rpm --query --queryformat '%{PAYLOADCOMPRESSOR}' --package "$rpm")"
}

# What Amazon Linux and RHEL have, and Debian has not: a folder of licences, and presets that enable nothing by themselves.
resemble_rhel() {
  mkdir -p "$root/usr/share/licenses"
  preset 'disable *'
}

preset() { echo "$1" >"$root/usr/lib/systemd/system-preset/99-default-disable.preset"; }

try_rpm() {
  local before
  check_header
  resemble_rhel
  ask_rpm --initdb
  before=$(listing)

  say "installing the RPM"
  change_rpm --install "$rpm"
  calls_lack '(^| )(start|restart|try-restart|enable) '
  try_program
  judge_units
  same "not as packed" "" "$(ask_rpm --verify --nodeps repoint || true)"

  say "upgrading it, and going back"
  operate
  next_rpm
  change_rpm --upgrade "$work/next.rpm"
  upgraded
  same "another version" 2 "$(ask_rpm --query --queryformat '%{RELEASE}' repoint)"
  change_rpm --upgrade --oldpackage "$rpm"
  upgraded

  say "removing it"
  change_rpm --erase repoint
  calls_have 'disable --now repoint\.service repoint-run\.timer'
  calls_have 'stop repoint-run\.service'
  as_operated "the removal"
  same "it left something behind" \
    "$(printf '%s\n' "$before" ./etc/repoint.toml ./var/lib/repoint{,/state.json} | LC_ALL=C sort)" "$(listing)"

  say "installing it where a preset enables a unit"
  preset 'enable repoint-run.timer'
  change_rpm --install "$rpm"
  [[ $(enabled repoint-run.timer) == enabled ]] || fail "the machine's presets were not asked"
  change_rpm --erase repoint
}

# mode, owner and path of each file, as the RPM has them
compare_contents() {
  same "the two packages differ" "$(deb_contents)" "$(rpm_contents)"
}

deb_contents() {
  dpkg-deb --contents "$deb" | awk '$1 !~ /^d/ { print $1, $2, $6 }' | sed -E '
    s|0/0 \./|root/root /|
    s|zsh/vendor-completions|zsh/site-functions|
    s|doc/repoint/copyright|licenses/repoint/LICENSE|' | LC_ALL=C sort
}

rpm_contents() {
  command rpm --query --queryformat '[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]' \
    --package "$rpm" | grep -v '^d' | LC_ALL=C sort
}
