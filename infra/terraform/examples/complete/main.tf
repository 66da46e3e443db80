# A complete set-up: a VPC (network.tf), a load balancer and a zone (endpoints.tf), and repoint. Start your database
# nodes in the two subnets, with the security group `database`.

data "aws_caller_identity" "current" {}

locals {
  # The bundle was printed by `repoint bundle --config repoint.toml --no-instances > bundle.json`. The resources do
  # not exist yet, so it contains placeholders for them, which `repoint check` accepts. With existing resources, as in
  # `../existing`, the bundle needs no replacement.
  group_stand_in   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/repoint-example-writer/0123456789abcdef"
  zone_stand_in    = "Z0123456789"
  account_stand_in = "us-east-1:123456789012"
  account          = "${var.region}:${data.aws_caller_identity.current.account_id}"

  bundle = jsondecode(replace(replace(replace(file("${path.module}/bundle.json"),
    local.group_stand_in, module.writer.arn),
    local.zone_stand_in, aws_route53_zone.this.zone_id),
  local.account_stand_in, local.account))
  members_stand_in = "members = [\"http://10.90.0.11:8008\", \"http://10.90.1.11:8008\"]"
  region_stand_in  = "region = \"us-east-1\""
  configuration = replace(replace(local.bundle.configuration,
    local.region_stand_in, "region = ${jsonencode(var.region)}"),
  local.members_stand_in, "members = ${jsonencode(var.members)}")
}

module "repoint" {
  source = "../.."

  zip              = var.zip
  architecture     = var.architecture
  bundle           = jsonencode(merge(local.bundle, { configuration = local.configuration, regions = [var.region] }))
  triggers_enabled = var.triggers_enabled

  table_deletion_protection = var.deletion_protection

  vpc = {
    id                           = aws_vpc.this.id
    subnet_ids                   = aws_subnet.private[*].id
    patroni_security_group_ids   = [aws_security_group.database.id]
    open_patroni_security_groups = true
  }

  endpoints = {
    services        = ["elasticloadbalancing", "sns", "route53", "dynamodb"]
    route_table_ids = [aws_route_table.private.id]
  }
}
