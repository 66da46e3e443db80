# Memory: an item for each cluster, read and written with conditions.

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

  # An item that is damaged is never overwritten: this is how to have the earlier one back.
  point_in_time_recovery {
    enabled = true
  }

  # Without a key of one's own DynamoDB encrypts with AWS's, and there is nothing to say.
  dynamic "server_side_encryption" {
    for_each = local.kms_key_arn == null ? [] : [local.kms_key_arn]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}
