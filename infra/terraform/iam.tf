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
    }]
  })
}

resource "aws_iam_role_policy" "repoint" {
  name   = "repoint"
  role   = aws_iam_role.function.id
  policy = local.policy

  lifecycle {
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
