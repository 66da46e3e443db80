# What the function may do: what its configuration needs, as `repoint iam` says, and what Lambda needs to run it.

resource "aws_iam_role" "function" {
  name        = local.role_name
  description = "The Lambda function ${var.name}"
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Lambda is to act with this role for this function and for no other (AWS Lambda Developer Guide, "Working with AWS
      # managed policies in the execution role"). A version or an alias has the function's ARN with one part more.
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = [local.function_arn, "${local.function_arn}:*"] }
      }
    }]
  })

  # The role depends on nothing and the function on the role: so all that is wrong is said at once, and before there is
  # a function.
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
    precondition {
      condition     = local.trigger_topic_arn != local.alert_topic_arn
      error_message = "${local.alert_topic_arn} is both `trigger_topic` and `alert_topic`: each alert would call the function. Give two topics."
    }
    precondition {
      condition     = split(":", local.trigger_topic_arn)[3] == local.region
      error_message = "`trigger_topic` is in ${split(":", local.trigger_topic_arn)[3]}, and the function in ${local.region}. Give a topic in ${local.region}, or leave it out: the callbacks of all Regions may publish to it."
    }
    precondition {
      condition     = length(local.not_allowed) == 0
      error_message = "The policy does not allow what the configuration needs: ${join(", ", local.not_allowed)}. Run `repoint iam --config repoint.toml > policy.json` again."
    }
    precondition {
      condition     = length(local.not_needed) == 0
      error_message = "The policy allows what the configuration does not name: ${join(", ", local.not_needed)}. Run `repoint iam --config repoint.toml > policy.json` again."
    }
    precondition {
      condition     = length(local.policy) + length(local.own_policy) <= 10240
      error_message = "The role's policies have ${length(local.policy) + length(local.own_policy)} characters, and IAM takes 10240. Part the clusters over several instances of this module, each with its own configuration and `name`."
    }
  }
}

resource "aws_iam_role_policy" "repoint" {
  name   = "repoint"
  role   = aws_iam_role.function.id
  policy = local.policy
}

resource "aws_iam_role_policy" "own" {
  name   = "lambda"
  role   = aws_iam_role.function.id
  policy = local.own_policy
}

locals {
  function_arn = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}"

  # What Lambda does in a subnet, with the function's role; and no list of resources would fit all of it.
  interface_actions = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ]

  own_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}:*"
        },
        {
          Sid      = "HandOverFailures"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = local.failure_queue_arn
        },
      ],
      [for _ in var.vpc == null ? [] : [0] : {
        Sid      = "StandInTheVpc"
        Effect   = "Allow"
        Action   = local.interface_actions
        Resource = "*"
      }],
      # Those rights are for Lambda; the code that runs in the function has none of them.
      [for _ in var.vpc == null ? [] : [0] : {
        Sid       = "NotFromTheCode"
        Effect    = "Deny"
        Action    = local.interface_actions
        Resource  = "*"
        Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arn } }
      }],
      # Only by way of the services that hold what is encrypted.
      [for arn in local.kms_key_arn == null ? [] : [local.kms_key_arn] : {
        Sid      = "UseTheKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource = arn
        Condition = {
          StringEquals = {
            "kms:ViaService" = [for service in ["dynamodb", "lambda", "sns", "sqs"] : "${service}.${local.region}.amazonaws.com"]
          }
        }
      }],
    )
  })
}
