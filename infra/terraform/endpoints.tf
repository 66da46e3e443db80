# VPC endpoints, which make a NAT unnecessary.

locals {
  services   = var.vpc == null ? toset([]) : var.endpoints.services
  interfaces = setsubtract(local.services, ["dynamodb"])
  gateways   = setintersection(local.services, ["dynamodb"])

  # Route 53 has one control plane, in us-east-1, and one endpoint service there, which other Regions use across
  # Regions.
  service_names   = { for it in local.interfaces : it => it == "route53" ? "com.amazonaws.route53" : "com.amazonaws.${local.region}.${it}" }
  service_regions = { for it in local.interfaces : it => it == "route53" && local.region != "us-east-1" ? "us-east-1" : null }

  only_by_endpoints = length(local.services) > 0 && length(local.https_cidr_blocks) == 0
  out_of_reach      = local.only_by_endpoints ? setsubtract(local.bundle.services, local.services) : []
  regions_away      = local.only_by_endpoints ? setsubtract(local.bundle.regions, [local.region]) : []
}

data "aws_vpc" "this" {
  count = length(local.interfaces) > 0 ? 1 : 0

  id = var.vpc.id
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.service_names

  vpc_id              = var.vpc.id
  service_name        = each.value
  service_region      = local.service_regions[each.key]
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.vpc.subnet_ids
  security_group_ids  = aws_security_group.endpoints[*].id
  private_dns_enabled = true
  tags                = merge({ Name = "${var.name}-${each.key}" }, var.tags)

  lifecycle {
    precondition {
      condition     = data.aws_vpc.this[0].enable_dns_support && data.aws_vpc.this[0].enable_dns_hostnames
      error_message = "The endpoints are resolved by AWS's public names, which requires `enable_dns_support` and `enable_dns_hostnames`. Enable both in ${var.vpc.id}."
    }
  }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local.gateways

  vpc_id            = var.vpc.id
  service_name      = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.endpoints.route_table_ids
  tags              = merge({ Name = "${var.name}-${each.key}" }, var.tags)
}

# With private DNS all hosts in the VPC resolve AWS's names to these endpoints, so all of them are allowed to connect:
# otherwise others, such as a `repoint` on the database nodes, would lose access to AWS.
resource "aws_security_group" "endpoints" {
  count = length(local.interfaces) > 0 ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "The VPC endpoints of ${var.name}: HTTPS from within the VPC"
  vpc_id      = var.vpc.id
  tags        = merge({ Name = "${var.name}-endpoints" }, var.tags)

  ingress {
    description = "The VPC"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = [for block in data.aws_vpc.this[0].cidr_block_associations : block.cidr_block]
  }
}

resource "aws_vpc_security_group_egress_rule" "interfaces" {
  count = length(local.interfaces) > 0 ? 1 : 0

  security_group_id            = aws_security_group.function[0].id
  description                  = "AWS, through the VPC endpoints"
  referenced_security_group_id = aws_security_group.endpoints[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "gateway" {
  for_each = local.gateways

  security_group_id = aws_security_group.function[0].id
  description       = "DynamoDB, through the gateway"
  prefix_list_id    = aws_vpc_endpoint.gateway[each.key].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}
