# Two topics: one calls the function, the other has the alerts.

locals {
  made_topics = merge(
    var.trigger_topic == null ? { look = local.trigger_topic_arn } : {},
    var.alert_topic == null ? { alerts = local.alert_topic_arn } : {},
  )
}

resource "aws_sns_topic" "this" {
  for_each = local.made_topics

  name              = "${var.name}-${each.key}"
  kms_master_key_id = local.kms_key_arn
  tags              = var.tags
}

# A custom policy replaces SNS's default policy, so it has to allow the account's IAM, and CloudWatch's alarms.
resource "aws_sns_topic_policy" "this" {
  for_each = local.made_topics

  arn = aws_sns_topic.this[each.key].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "AllowAccount"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
          Action    = ["sns:GetTopicAttributes", "sns:Publish", "sns:Subscribe"]
          Resource  = each.value
        },
        {
          Sid       = "DenyUnencryptedTransport"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sns:Publish"
          Resource  = each.value
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ],
      [for _ in each.key == "alerts" ? [0] : [] : {
        Sid       = "AllowAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = each.value
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      }],
    )
  })
}

resource "aws_sns_topic_subscription" "look" {
  count = var.triggers_enabled && var.callback_batches == null ? 1 : 0

  topic_arn = var.trigger_topic == null ? aws_sns_topic.this["look"].arn : var.trigger_topic.arn
  protocol  = "lambda"
  endpoint  = aws_lambda_alias.live.arn

  # Messages that SNS cannot deliver, for example to a function that is throttled for an hour.
  redrive_policy = jsonencode({ deadLetterTargetArn = local.failure_queue_arn })

  depends_on = [aws_lambda_permission.look, aws_sqs_queue.failures]
}

resource "aws_lambda_permission" "look" {
  count = var.triggers_enabled && var.callback_batches == null ? 1 : 0

  statement_id  = "look"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "sns.amazonaws.com"
  # The ARN contains the topic's account. A `source_account` would be one more condition, and if SNS omits its
  # account, no callback would ever arrive.
  source_arn = local.trigger_topic_arn
}
