# Ten thousand clusters and one function. EventBridge Scheduler calls it for one shard of them after the other; callbacks come
# through a queue, in batches. How large the shards are, how often each is checked, and how much of AWS's request limits an
# invocation may use is worked out by `../../fleet`.
#
# The configuration is too long for the function's environment, so a layer has it: `zip layer.zip repoint.toml`.

provider "aws" {
  region = var.region
}

module "fleet" {
  source = "../../fleet"

  bundle                = file(var.bundle_file)
  prefix                = var.prefix
  clusters_per_shard    = var.clusters_per_shard
  round_minutes_at_most = var.round_minutes_at_most
}

resource "aws_lambda_layer_version" "configuration" {
  layer_name       = "repoint-configuration"
  filename         = var.configuration_zip
  source_code_hash = filebase64sha256(var.configuration_zip)
  # `function_version` can go back to them.
  skip_destroy = var.keep_configurations
}

module "repoint" {
  source = "../.."

  zip                 = var.zip
  architecture        = var.architecture
  bundle              = module.fleet.bundle
  configuration_layer = { arn = aws_lambda_layer_version.configuration.arn }

  schedules            = module.fleet.schedules
  callback_batches     = module.fleet.callback_batches
  reserved_concurrency = module.fleet.reserved_concurrency
  timeout_seconds      = module.fleet.timeout_seconds
  no_success_minutes   = module.fleet.no_success_minutes
  # Ten thousand clusters are 100 MB of configuration in memory.
  memory_mb = 1024

  triggers_enabled          = var.triggers_enabled
  table_deletion_protection = var.table_deletion_protection

  vpc = {
    id                  = var.vpc_id
    subnet_ids          = var.subnet_ids
    patroni_cidr_blocks = var.patroni_cidr_blocks
  }

  tags = { service = "repoint" }
}
