resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = "Keeps endpoints pointing at the primaries of Patroni's clusters"
  role          = local.role_arn

  filename          = var.zip
  source_code_hash  = var.zip == null ? null : filebase64sha256(var.zip)
  s3_bucket         = var.zip_in_s3 == null ? null : var.zip_in_s3.bucket
  s3_key            = var.zip_in_s3 == null ? null : var.zip_in_s3.key
  s3_object_version = var.zip_in_s3 == null ? null : var.zip_in_s3.version
  runtime           = "provided.al2023"
  handler           = "bootstrap"
  architectures     = [var.architecture]
  layers            = local.layers
  # Each change is published as a version, which the alias can be pointed back to.
  publish = true

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = local.kms_key_arn
  tags                           = var.tags

  dynamic "environment" {
    for_each = length(local.environment) == 0 ? [] : [local.environment]
    content {
      variables = environment.value
    }
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = concat(aws_security_group.function[*].id, vpc_config.value.security_group_ids)
    }
  }

  # The role's rights must outlive the function, whose deletion releases its network interfaces with them, and the log
  # group must exist first: Lambda would create one without a retention period.
  depends_on = [
    terraform_data.checked,
    aws_iam_role_policy.own,
    aws_iam_role_policy.repoint,
    aws_cloudwatch_log_group.function,
  ]
}

# The target of schedules and callbacks. The function itself always has the newest code, for a manual dry run.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that schedules and callbacks call"
  function_name    = aws_lambda_function.this.function_name
  function_version = coalesce(var.function_version, aws_lambda_function.this.version)
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  log_group_class   = var.log_group_class
  kms_key_id        = local.kms_key_arn
  tags              = var.tags
}
