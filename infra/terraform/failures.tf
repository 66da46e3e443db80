# Failed asynchronous invocations.

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name

  # A trigger only says "look now", and the next one says the same: an old one has no value.
  maximum_event_age_in_seconds = 300
  maximum_retry_attempts       = 1

  destination_config {
    on_failure {
      destination = local.failure_queue_arn
    }
  }

  # Lambda tests the destination with the role's rights when it is configured.
  depends_on = [aws_sqs_queue.failures, aws_iam_role_policy.own]
}

resource "aws_sqs_queue" "failures" {
  count = var.failure_queue == null ? 1 : 0

  name                      = "${var.name}-failures"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key == null ? true : null
  kms_master_key_id         = local.kms_key_arn
  tags                      = var.tags

  # A single policy with the queue's: the provider waits 30 s for each change of either.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyUnencryptedTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.failure_queue_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "ReceiveUndeliveredCallbacks"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.failure_queue_arn
        Condition = { ArnEquals = { "aws:SourceArn" = local.trigger_topic_arn } }
      },
    ]
  })
}
