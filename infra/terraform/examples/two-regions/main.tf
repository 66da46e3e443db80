# One Patroni cluster whose members are in two Regions. Each Region has endpoints of its own, and what leads them to the
# primary, wherever that is: HAProxy with `repoint watch`, and a function with its own state. At a failover neither Region
# needs anything of the other but its members.

provider "aws" {
  alias  = "first"
  region = var.first.region
}

provider "aws" {
  alias  = "second"
  region = var.second.region
}

locals {
  regions = { first = var.first, second = var.second }
  blocks  = { for name, it in local.regions : name => it.cidr_block }
  members = merge(var.first.members, var.second.members)
}

module "first" {
  source    = "./region"
  providers = { aws = aws.first }

  cidr_block     = var.first.cidr_block
  other_block    = var.second.cidr_block
  image_id       = var.first.image_id
  members        = local.members
  remote_members = keys(var.second.members)

  zone_id             = aws_route53_zone.this.zone_id
  bundle              = file("${path.module}/bundle.json")
  zip                 = var.zip
  architecture        = var.architecture
  package             = var.package
  triggers_enabled    = var.triggers_enabled
  deletion_protection = var.deletion_protection
}

module "second" {
  source    = "./region"
  providers = { aws = aws.second }

  cidr_block     = var.second.cidr_block
  other_block    = var.first.cidr_block
  image_id       = var.second.image_id
  members        = local.members
  remote_members = keys(var.first.members)

  zone_id             = aws_route53_zone.this.zone_id
  bundle              = file("${path.module}/bundle.json")
  zip                 = var.zip
  architecture        = var.architecture
  package             = var.package
  triggers_enabled    = var.triggers_enabled
  deletion_protection = var.deletion_protection
}
