# What stands on an instance: the configuration of infra/haproxy, with these members.

locals {
  server_options = "check port ${var.patroni_port} inter 1s fall 2 rise 2 on-marked-down shutdown-sessions"

  haproxy_cfg = templatefile("${path.module}/haproxy.cfg.tftpl", {
    members      = var.members
    remote       = var.remote_members
    postgres     = var.postgres_port
    patroni      = var.patroni_port
    sides        = local.sides
    checked_port = local.check_port
  })

  repoint_toml = templatefile("${path.module}/repoint.toml.tftpl", {
    scope          = var.scope
    members        = [for address in values(var.members) : "http://${address}:${var.patroni_port}"]
    server_options = local.server_options
    topic          = var.alert_topic == null ? null : var.alert_topic.arn
  })

  # Written before the packages are installed, which leave a file that is there as it is.
  files = {
    "/etc/haproxy/haproxy.cfg"                           = local.haproxy_cfg
    "/etc/repoint.toml"                                  = local.repoint_toml
    "/etc/systemd/system/haproxy.service.d/repoint.conf" = file("${path.module}/haproxy.service.conf")
    # The package's unit runs as the user of Patroni, which is not here.
    "/etc/systemd/system/repoint.service.d/user.conf" = "[Service]\nUser=repoint\nGroup=repoint\n"
  }

  # Only where a package is given: an image may have everything.
  packages = var.package == null ? [] : [var.package]
  install = flatten([for package in local.packages : [
    "curl --fail --silent --show-error --location --retry 10 --output /run/repoint.deb '${package.url}'",
    "echo '${package.sha256}  /run/repoint.deb' | sha256sum --check",
    "apt-get --yes install /run/repoint.deb",
  ]])
  start = ["systemctl daemon-reload", "systemctl enable haproxy repoint", "systemctl restart haproxy repoint"]

  # JSON is YAML, so nothing needs quoting.
  user_data = join("\n", ["#cloud-config", jsonencode(merge(
    {
      users       = ["default", { name = "repoint", system = true, shell = "/usr/sbin/nologin" }]
      write_files = [for path, content in local.files : { path = path, content = content }]
      runcmd      = [["sh", "-euxc", join("\n", concat(local.install, local.start))]]
    },
    [for _ in local.packages : { package_update = true, packages = ["curl", "haproxy", "socat"] }]...
  ))])
}
