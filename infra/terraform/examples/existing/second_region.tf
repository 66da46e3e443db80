# A second Region has an instance of its own: it looks after the Region's clusters from within, with its own
# configuration and memory, and goes on when the first Region is away. The provider's alias is all that differs.
#
# This is for clusters that live in that Region. A cluster that spans Regions (`[[cluster.site]]`) belongs to one
# instance only, since its memory must be one.

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
