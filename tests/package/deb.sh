# The Debian package.
# shellcheck shell=bash disable=SC2154

make_deb() {
  if [[ ! -x target/tools/bin/cargo-deb ]]; then
    say "building cargo-deb"
    cargo install --quiet --locked --root target/tools cargo-deb@3.8.0
  fi
  say "the Debian package"
  deb=$work/repoint.deb
  PATH=$PWD/target/tools/bin:$PATH cargo deb --quiet --locked --no-build --profile dev --strip --fast \
    --output "$deb" >/dev/null
}

# The same package as a newer one.
next_deb() {
  dpkg-deb --raw-extract "$deb" "$work/next"
  sed -i 's/^Version: .*/&.next/' "$work/next/DEBIAN/control"
  dpkg-deb -Znone --build "$work/next" "$root/tmp/next.deb" >/dev/null
  rm -r "$work/next"
}

try_deb() {
  local before
  before=$(listing)

  say "installing the Debian package"
  cp "$deb" "$root/tmp/repoint.deb"
  next_deb
  recorded inside dpkg --install /tmp/repoint.deb
  calls_lack '(^| )(start|restart|enable) '
  try_program
  judge_units

  say "upgrading it"
  operate
  recorded inside dpkg --install /tmp/next.deb
  upgraded
  rm "$root/tmp/repoint.deb" "$root/tmp/next.deb"

  say "removing it"
  recorded inside dpkg --remove repoint
  calls_have 'stop.* repoint\.service'
  as_operated "the removal"
  recorded inside dpkg --purge repoint
  same "it left something behind" "$(printf '%s\n' "$before" ./etc/repoint.toml | LC_ALL=C sort)" "$(listing)"
  rm "$root/etc/repoint.toml"
}
