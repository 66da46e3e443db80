resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = "Keeps endpoints pointing at the primaries of Patroni's clusters"
  role          = aws_iam_role.function.arn

  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  layers           = var.configuration_layer == null ? [] : [var.configuration_layer.arn]

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

  # The role's rights must outlive the function, which gives its network interfaces back with them, and the log group
  # must be there first: Lambda would make one that keeps everything for ever.
  depends_on = [
    aws_iam_role_policy.own,
    aws_iam_role_policy.repoint,
    aws_cloudwatch_log_group.function,
  ]

  lifecycle {
    precondition {
      condition     = var.vpc != null || length(var.endpoints.services) == 0
      error_message = "`endpoints` are made in a VPC, and there is none: give `vpc`, or leave `endpoints` out."
    }
    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The environment takes ${local.environment_bytes} bytes as Lambda counts them, with each quote and each line's end as two, and 4096 is all there is. Take comments out of the configuration, or put repoint.toml into a layer (zip layer.zip repoint.toml; aws lambda publish-layer-version --layer-name repoint-configuration --zip-file fileb://layer.zip) and give its ARN as `configuration_layer`."
    }
    precondition {
      condition     = join(", ", local.configured_tables) == local.table_name
      error_message = "The configuration must keep memory in the table `${local.table_name}`, and it names ${coalesce(join(", ", local.configured_tables), "none")}. Write `[state]` and below it `dynamodb_table = \"${local.table_name}\"`, or give the table that it names as `table`."
    }
    precondition {
      condition     = join(", ", local.configured_alert_topics) == local.alert_topic_arn
      error_message = "The configuration must tell people through ${local.alert_topic_arn}, and it names ${coalesce(join(", ", local.configured_alert_topics), "no topic")}. Write `[alerts]` and below it `sns_topic_arn = \"${local.alert_topic_arn}\"`, or give the topic that it names as `alert_topic`."
    }
    precondition {
      condition     = length(setsubtract(local.configured_trigger_topics, [local.trigger_topic_arn])) == 0
      error_message = "The configuration has callbacks publish to ${join(", ", local.configured_trigger_topics)}, which calls nobody here. Write `[callback]` and below it `sns_topic_arn = \"${local.trigger_topic_arn}\"`, or give the topic that it names as `trigger_topic`."
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
  tags              = var.tags
}
