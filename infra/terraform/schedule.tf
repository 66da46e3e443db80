# A check every minute, in case callbacks fail.

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
  tags = var.tags
}

resource "aws_scheduler_schedule" "this" {
  for_each = var.schedules

  name                = each.key
  group_name          = aws_scheduler_schedule_group.this.name
  description         = length(each.value.clusters) == 0 ? "Checks all clusters" : "Checks ${length(each.value.clusters)} clusters"
  schedule_expression = each.value.expression
  state               = var.triggers_enabled ? "ENABLED" : "DISABLED"
  kms_key_arn         = local.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live.arn
    role_arn = var.schedule_role == null ? aws_iam_role.schedule[0].arn : var.schedule_role.arn

    input = jsonencode(merge(
      { dry_run = each.value.dry_run },
      length(each.value.clusters) == 0 ? {} : { cluster = each.value.clusters },
    ))

    # The next invocation comes within a minute.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 1
    }

    dead_letter_config {
      arn = local.failure_queue_arn
    }
  }

  depends_on = [aws_iam_role_policy.schedule, aws_sqs_queue.failures]
}

resource "aws_iam_role" "schedule" {
  count = var.schedule_role == null ? 1 : 0

  name                 = "${local.role_name}-schedule"
  path                 = var.role_path
  description          = "The schedules that call the Lambda function ${var.name}"
  permissions_boundary = local.permissions_boundary_arn
  tags                 = var.tags

  # Only this group's schedules may use it.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
          "aws:SourceArn"     = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/${var.name}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  count = var.schedule_role == null ? 1 : 0

  name = "call"
  role = aws_iam_role.schedule[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "InvokeFunction"
          Effect   = "Allow"
          Action   = "lambda:InvokeFunction"
          Resource = "${local.function_arn}:live"
        },
        {
          Sid      = "SendFailures"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = local.failure_queue_arn
        },
      ],
      [for arn in local.kms_key_arn == null ? [] : [local.kms_key_arn] : {
        Sid      = "UseKmsKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource = arn
      }],
    )
  })
}
