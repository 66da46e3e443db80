# The usual case: an existing VPC with a route to AWS, database nodes with a security group, a load balancer, a zone,
# and an alert topic. repoint.toml refers to them, and bundle.json was printed by `repoint bundle --config
# repoint.toml > bundle.json`.

provider "aws" {
  region = var.region
}

module "repoint" {
  source = "../.."

  zip              = var.zip
  architecture     = var.architecture
  bundle           = file(var.bundle_file)
  alert_topic      = { arn = var.alert_topic_arn }
  function_version = var.function_version
  triggers_enabled = var.triggers_enabled

  table_deletion_protection = var.table_deletion_protection

  vpc = {
    id                           = var.vpc_id
    subnet_ids                   = var.subnet_ids
    patroni_security_group_ids   = [var.database_security_group_id]
    open_patroni_security_groups = true
  }

  tags = { service = "repoint" }
}
