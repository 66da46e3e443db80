# Outbound connections to Patroni and AWS, and no inbound ones.

locals {
  patroni_cidr_blocks = var.vpc == null ? [] : var.vpc.patroni_cidr_blocks
  patroni_groups      = var.vpc == null ? [] : var.vpc.patroni_security_group_ids
  opened_groups       = try(var.vpc.open_patroni_security_groups, false) ? local.patroni_groups : []

  # With its own endpoints the function needs no other outbound route.
  https_cidr_blocks = var.vpc == null ? [] : var.vpc.https_cidr_blocks != null ? var.vpc.https_cidr_blocks : length(var.endpoints.services) > 0 ? [] : ["0.0.0.0/0"]
}

resource "aws_security_group" "function" {
  count = var.vpc == null ? 0 : 1

  name        = var.name
  description = "The Lambda function ${var.name}: out to Patroni and to AWS"
  vpc_id      = var.vpc.id
  tags        = merge({ Name = var.name }, var.tags)

  lifecycle {
    precondition {
      condition     = length(local.out_of_reach) == 0
      error_message = "With only these endpoints the function would not reach ${join(", ", local.out_of_reach)}, which its configuration needs. Add them to `endpoints.services`${contains(local.out_of_reach, "ec2") ? " (or, if no target group is of type `instance`, create the bundle with `repoint bundle --no-instances`)" : ""}, or set `vpc.https_cidr_blocks` to another route to AWS ([\"0.0.0.0/0\"] with NAT)."
    }
    precondition {
      condition     = length(local.regions_away) == 0
      error_message = "The configuration has load balancers in ${join(", ", local.regions_away)}, which the endpoint of elasticloadbalancing in ${local.region} does not reach. Set `vpc.https_cidr_blocks` to another route to AWS ([\"0.0.0.0/0\"] with NAT)."
    }
  }
}

# `count`, not `for_each`: the id of a group that is created in the same apply is unknown when planning.
resource "aws_vpc_security_group_egress_rule" "patroni_block" {
  count = length(local.patroni_cidr_blocks)

  security_group_id = aws_security_group.function[0].id
  description       = "Patroni"
  cidr_ipv4         = strcontains(local.patroni_cidr_blocks[count.index], ":") ? null : local.patroni_cidr_blocks[count.index]
  cidr_ipv6         = strcontains(local.patroni_cidr_blocks[count.index], ":") ? local.patroni_cidr_blocks[count.index] : null
  ip_protocol       = "tcp"
  from_port         = var.vpc.patroni_port
  to_port           = var.vpc.patroni_port
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "patroni_group" {
  count = length(local.patroni_groups)

  security_group_id            = aws_security_group.function[0].id
  description                  = "Patroni"
  referenced_security_group_id = local.patroni_groups[count.index]
  ip_protocol                  = "tcp"
  from_port                    = var.vpc.patroni_port
  to_port                      = var.vpc.patroni_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "patroni_group" {
  count = length(local.opened_groups)

  security_group_id            = local.opened_groups[count.index]
  description                  = "The Lambda function ${var.name} asks Patroni"
  referenced_security_group_id = aws_security_group.function[0].id
  ip_protocol                  = "tcp"
  from_port                    = var.vpc.patroni_port
  to_port                      = var.vpc.patroni_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  count = length(local.https_cidr_blocks)

  security_group_id = aws_security_group.function[0].id
  description       = "AWS"
  cidr_ipv4         = strcontains(local.https_cidr_blocks[count.index], ":") ? null : local.https_cidr_blocks[count.index]
  cidr_ipv6         = strcontains(local.https_cidr_blocks[count.index], ":") ? local.https_cidr_blocks[count.index] : null
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}
