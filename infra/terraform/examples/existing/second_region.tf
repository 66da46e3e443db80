# A second Region has its own instance: it manages the Region's clusters from within, with its own configuration and
# state, and continues when the first Region is unavailable. Only the provider's alias differs.
#
# This is for clusters within that Region. A cluster that spans Regions (`[[cluster.site]]`) must belong to a single
# instance, since it must have a single state.

provider "aws" {
  alias  = "second"
  region = coalesce(var.second_region.region, var.region)
}

module "second" {
  source    = "../.."
  count     = var.second_region.region == null ? 0 : 1
  providers = { aws = aws.second }

  zip              = var.zip
  architecture     = var.architecture
  bundle           = file(var.second_region.bundle_file)
  triggers_enabled = var.triggers_enabled

  table_deletion_protection = var.table_deletion_protection

  vpc = {
    id                  = var.second_region.vpc_id
    subnet_ids          = var.second_region.subnet_ids
    patroni_cidr_blocks = var.second_region.patroni_cidr_blocks
  }

  tags = { service = "repoint" }
}
