# Callbacks in batches: for a fleet, of which many clusters may fail over at once. Each batch is one invocation, over the
# clusters of all its messages.

locals {
  # What is there only with `callback_batches`.
  batches             = var.callback_batches == null ? [] : [var.callback_batches]
  callback_queue_arns = [for _ in local.batches : "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-callbacks"]

  # Of the function's role (iam.tf).
  callback_statements = [for arn in local.callback_queue_arns : {
    Sid      = "ReceiveCallbacks"
    Effect   = "Allow"
    Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    Resource = arn
  }]
}

resource "aws_sqs_queue" "callbacks" {
  count = length(local.batches)

  name                    = "${var.name}-callbacks"
  sqs_managed_sse_enabled = var.kms_key == null ? true : null
  kms_master_key_id       = local.kms_key_arn
  tags                    = var.tags

  # The least that Lambda accepts: a batch that failed is handled again after it.
  visibility_timeout_seconds = var.timeout_seconds
  message_retention_seconds  = 3 * max(var.timeout_seconds, 60)
  redrive_policy             = jsonencode({ deadLetterTargetArn = local.failure_queue_arn, maxReceiveCount = 2 })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyUnencryptedTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.callback_queue_arns[0]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "ReceiveCallbacks"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.callback_queue_arns[0]
        Condition = { ArnEquals = { "aws:SourceArn" = local.trigger_topic_arn } }
      },
    ]
  })

  depends_on = [aws_sqs_queue.failures]
}

resource "aws_sns_topic_subscription" "batches" {
  count = var.triggers_enabled ? length(local.batches) : 0

  topic_arn            = var.trigger_topic == null ? aws_sns_topic.this["look"].arn : var.trigger_topic.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.callbacks[0].arn
  raw_message_delivery = true

  # Messages that SNS cannot deliver.
  redrive_policy = jsonencode({ deadLetterTargetArn = local.failure_queue_arn })

  depends_on = [aws_sqs_queue.failures]
}

resource "aws_lambda_event_source_mapping" "callbacks" {
  count = var.triggers_enabled ? length(local.batches) : 0

  function_name                      = aws_lambda_alias.live.arn
  event_source_arn                   = aws_sqs_queue.callbacks[0].arn
  batch_size                         = 1000
  maximum_batching_window_in_seconds = local.batches[0].seconds
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  scaling_config {
    maximum_concurrency = local.batches[0].at_once
  }

  # Lambda tests the queue with the role's rights.
  depends_on = [aws_iam_role_policy.own]
}
