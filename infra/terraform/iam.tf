# The rights of the function: what its configuration needs, as printed by `repoint iam`, and what Lambda needs to run
# it.

resource "aws_iam_role" "function" {
  count = var.role == null ? 1 : 0

  name                 = local.role_name
  path                 = var.role_path
  description          = "The Lambda function ${var.name}"
  permissions_boundary = local.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Only Lambda may assume this role, and only for this function (AWS Lambda Developer Guide, "Working with AWS
      # managed policies in the execution role"). The ARN of a version or an alias has one more part than the
      # function's.
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = [local.function_arn, "${local.function_arn}:*"] }
      }
    }]
  })

  depends_on = [terraform_data.checked]
}

resource "aws_iam_role_policy" "repoint" {
  count = var.role == null ? 1 : 0

  name   = "repoint"
  role   = aws_iam_role.function[0].id
  policy = local.policy
}

resource "aws_iam_role_policy" "own" {
  count = var.role == null ? 1 : 0

  name   = "lambda"
  role   = aws_iam_role.function[0].id
  policy = local.own_policy
}

locals {
  role_arn = var.role == null ? aws_iam_role.function[0].arn : var.role.arn

  function_arn = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}"

  # What Lambda does in a subnet with the function's role; no list of resources covers all of it.
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
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}:*"
        },
        {
          Sid      = "SendFailures"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = local.failure_queue_arn
        },
      ],
      local.callback_statements,
      [for _ in var.vpc == null ? [] : [0] : {
        Sid      = "ManageNetworkInterfaces"
        Effect   = "Allow"
        Action   = local.interface_actions
        Resource = "*"
      }],
      # Those rights are for Lambda; the code in the function does not get them.
      [for _ in var.vpc == null ? [] : [0] : {
        Sid       = "DenyNetworkInterfacesToFunctionCode"
        Effect    = "Deny"
        Action    = local.interface_actions
        Resource  = "*"
        Condition = { ArnLike = { "lambda:SourceFunctionArn" = [local.function_arn, "${local.function_arn}:*"] } }
      }],
      # Only through the services that hold the encrypted resources.
      [for arn in local.kms_key_arn == null ? [] : [local.kms_key_arn] : {
        Sid      = "UseKmsKey"
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
