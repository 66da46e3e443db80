# The state: one item per cluster, read and written with conditions.

resource "aws_dynamodb_table" "this" {
  count = var.table == null ? 1 : 0

  name                        = local.table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "scope"
  deletion_protection_enabled = var.table_deletion_protection
  tags                        = var.tags

  attribute {
    name = "scope"
    type = "S"
  }

  # repoint never overwrites a damaged item: point-in-time recovery brings the earlier one back.
  point_in_time_recovery {
    enabled = true
  }

  # Without `kms_key` DynamoDB uses an AWS owned key, which needs no block.
  dynamic "server_side_encryption" {
    for_each = local.kms_key_arn == null ? [] : [local.kms_key_arn]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}
