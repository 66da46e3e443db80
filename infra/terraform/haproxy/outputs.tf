output "target_groups" {
  description = "The target groups `writer` and `reader`: each with `arn`, and `arn_suffix` for the metrics of CloudWatch."
  value       = { for side, group in aws_lb_target_group.this : side => { arn = group.arn, arn_suffix = group.arn_suffix } }
}

output "autoscaling_group_name" {
  description = "Name of the Auto Scaling group."
  value       = aws_autoscaling_group.this.name
}

output "security_group_id" {
  description = "Id of the instances' security group."
  value       = aws_security_group.this.id
}

output "role_name" {
  description = "Name of the instances' role; null without an alert topic."
  value       = one(aws_iam_role.this[*].name)
}

output "files" {
  description = "The files that are written to the instances, by their paths."
  value       = local.files
}
