# The policy that `repoint iam` prints, with the names' beginning in the place of ten thousand names.

locals {
  name_condition = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
  record_names   = flatten([for it in local.bundle.policy.Statement : try(it.Condition["ForAllValues:StringEquals"][local.name_condition], [])])

  # Both lists are replaced in the text: in Terraform all statements would have to have the same type.
  patterns = "[\"${var.prefix}*\"]"
  policy_text = replace(replace(replace(jsonencode(local.bundle.policy),
    "ForAllValues:StringEquals", "ForAllValues:StringLike"),
    "/\"${local.name_condition}\":\\[[^\\]]*\\]/", "\"${local.name_condition}\":${local.patterns}"),
  "/\"dynamodb:LeadingKeys\":\\[[^\\]]*\\]/", "\"dynamodb:LeadingKeys\":${local.patterns}")

  statements = [for it in jsondecode(local.policy_text).Statement : merge(it, {
    Resource = distinct([for arn in it.Resource : replace(arn, "/:(targetgroup|listener/net)/.*$/", ":$1/${var.prefix}*")])
  })]
  policy = { Version = local.bundle.policy.Version, Statement = local.statements }
}
