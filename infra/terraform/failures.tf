# What happens to an invocation that nobody waits for and that fails.

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name

  # A trigger only says "look now", and the next one says the same: an old one is worth nothing.
  maximum_event_age_in_seconds = 300
  maximum_retry_attempts       = 1

  destination_config {
    on_failure {
      destination = local.failure_queue_arn
    }
  }

  # Lambda tries the destination out with the role's rights.
  depends_on = [aws_sqs_queue.failures, aws_iam_role_policy.own]
}

resource "aws_sqs_queue" "failures" {
  count = var.failure_queue == null ? 1 : 0

  name                      = "${var.name}-failures"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key == null ? true : null
  kms_master_key_id         = local.kms_key_arn
  tags                      = var.tags

  # In one with the queue: the provider waits half a minute for each change of either.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.failure_queue_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Undelivered"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.failure_queue_arn
        Condition = { ArnEquals = { "aws:SourceArn" = local.trigger_topic_arn } }
      },
    ]
  })
}
