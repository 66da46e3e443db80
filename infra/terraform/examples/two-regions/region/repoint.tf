# The Region's function, with the state of its own endpoints. Only it writes to them, so nothing is shared with the other
# Region's function.

locals {
  # As in `../../complete`: what is created in the same apply takes the place of the bundle's stand-ins.
  region           = data.aws_region.current.id
  group_stand_in   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/0123456789abcdef"
  account_stand_in = "us-east-1:123456789012"
  account          = "${local.region}:${data.aws_caller_identity.current.account_id}"
  members_stand_in = "members = [\"http://10.90.0.11:8008\", \"http://10.91.0.11:8008\"]"

  bundle = jsondecode(replace(replace(replace(replace(var.bundle,
    local.group_stand_in, module.writer.arn),
    local.account_stand_in, local.account),
    "Z0123456789", var.zone_id),
  "us-east-1", local.region))
  members       = [for address in values(var.members) : "http://${address}:8008"]
  configuration = replace(local.bundle.configuration, local.members_stand_in, "members = ${jsonencode(local.members)}")
}

module "repoint" {
  source = "../../.."

  zip              = var.zip
  architecture     = var.architecture
  bundle           = jsonencode(merge(local.bundle, { configuration = local.configuration }))
  triggers_enabled = var.triggers_enabled

  table_deletion_protection = var.deletion_protection

  vpc = {
    id                           = aws_vpc.this.id
    subnet_ids                   = aws_subnet.private[*].id
    patroni_security_group_ids   = [aws_security_group.database.id]
    open_patroni_security_groups = true
    patroni_cidr_blocks          = [var.other_block]
  }

  endpoints = {
    services        = ["elasticloadbalancing", "sns", "route53", "dynamodb"]
    route_table_ids = [aws_route_table.private.id]
  }
}
