data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id

  # IAM names are unique in the account, so each Region needs its own.
  role_name = "${var.name}-${local.region}"

  # Built from the names instead of the resources' attributes, so that they are known when planning.
  trigger_topic_arn = var.trigger_topic == null ? "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-look" : var.trigger_topic.arn
  alert_topic_arn   = var.alert_topic == null ? "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-alerts" : var.alert_topic.arn
  failure_queue_arn = var.failure_queue == null ? "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-failures" : var.failure_queue.arn
  table_name        = var.table == null ? var.name : var.table.name

  kms_key_arn              = var.kms_key == null ? null : var.kms_key.arn
  permissions_boundary_arn = var.permissions_boundary == null ? null : var.permissions_boundary.arn
}
