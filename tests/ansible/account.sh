# The emulated AWS, and the example's inventory with what that account has.
# shellcheck shell=bash disable=SC2154

ENDPOINT=http://$BRIDGE:5555

make_account() {
  local moto=$PWD/tests/lab/moto_server.py
  (cd "$work" && MOTO_EC2_LOAD_DEFAULT_AMIS=false exec "$lab/bin/python" -B "$moto" --host "$BRIDGE" --port 5555 \
    >moto.log 2>&1) &
  wait_for "the emulated AWS" curl --silent --fail "$ENDPOINT/moto-api/data.json"
  "$lab/bin/python" -B tests/ansible/aws.py "$ENDPOINT" >"$work/account"
}

# What an instance profile gives a node on EC2, and where AWS is.
give_account() {
  install -D -m 644 /dev/stdin "$work/$1/root/etc/systemd/system/repoint.service.d/account.conf" <<TEXT
[Service]
Environment=AWS_ACCESS_KEY_ID=lab AWS_SECRET_ACCESS_KEY=lab AWS_EC2_METADATA_DISABLED=true AWS_ENDPOINT_URL=$ENDPOINT
TEXT
}

make_inventory() {
  local group zone
  read -r group zone <"$work/account"
  cp -r infra/ansible/examples "$work/inventory"
  cp tests/ansible/inventory.yml "$work/inventory"
  sed -i "s|arn:aws:elasticloadbalancing:.*|$group|; s|Z0123456789|$zone|" "$work/inventory/group_vars/postgres/vars.yml"
  echo lab >"$work/vault.password"
  ansible-vault encrypt --vault-password-file "$work/vault.password" 2>/dev/null \
    --output "$work/inventory/group_vars/postgres/vault.yml" <<<"vault_patroni_password: it's a \"secret\""
  # And one that is encrypted in its place.
  ansible-vault encrypt_string --vault-password-file "$work/vault.password" --name username repoint 2>/dev/null |
    sed 's/^/    /' >"$work/username"
  sed -i -e "/^    username: repoint$/{r $work/username" -e 'd}' "$work/inventory/group_vars/postgres/vars.yml"
}
