# Only the load balancer reaches an instance, and an instance only the members and where it installs from.

resource "aws_security_group" "this" {
  name        = var.name
  description = "HAProxy ${var.name}"
  vpc_id      = var.vpc_id
  tags        = merge({ Name = var.name }, var.tags)
}

locals {
  from_balancer = {
    writer = var.writer_port
    reader = var.reader_port
    check  = local.check_port
  }
  to_members = merge([
    for block in var.member_cidr_blocks : {
      "${block} PostgreSQL" = { block = block, port = var.postgres_port }
      "${block} Patroni"    = { block = block, port = var.patroni_port }
    }
  ]...)
  to_install = merge([
    for block in var.install_cidr_blocks : {
      "${block} 80"  = { block = block, port = 80 }
      "${block} 443" = { block = block, port = 443 }
    }
  ]...)
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each = local.from_balancer

  security_group_id            = aws_security_group.this.id
  description                  = "The load balancer: ${each.key}"
  referenced_security_group_id = var.load_balancer_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  tags                         = var.tags
}

# The load balancer's rules for outbound traffic hold for its health checks, too.
resource "aws_vpc_security_group_egress_rule" "balancer" {
  for_each = local.from_balancer

  security_group_id            = var.load_balancer_security_group_id
  description                  = "HAProxy ${var.name}: ${each.key}"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  tags                         = var.tags
}

# Addresses, since a rule cannot name a security group of another Region.
resource "aws_vpc_security_group_egress_rule" "members" {
  for_each = local.to_members

  security_group_id = aws_security_group.this.id
  description       = "Members: ${each.key}"
  cidr_ipv4         = each.value.block
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  tags              = var.tags
}

# Packages; and HTTPS for alerts.
resource "aws_vpc_security_group_egress_rule" "install" {
  for_each = local.to_install

  security_group_id = aws_security_group.this.id
  description       = "Packages and AWS: ${each.key}"
  cidr_ipv4         = each.value.block
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  tags              = var.tags
}
