# A VPC without a route to the internet: the root module's endpoints lead to AWS.

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

data "aws_availability_zones" "available" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = "repoint-example" }
}

resource "aws_subnet" "private" {
  count = 2

  vpc_id            = aws_vpc.this.id
  availability_zone = data.aws_availability_zones.available.names[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
  tags              = { Name = "repoint-example-${count.index}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "repoint-example" }
}

resource "aws_route_table_association" "private" {
  count = 2

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

# For the database nodes. A rule cannot name a security group of another Region, so that Region's members, load balancer,
# HAProxies and function are let in by their addresses.
resource "aws_security_group" "database" {
  name        = "repoint-example-database"
  description = "PostgreSQL and Patroni"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "repoint-example-database" }
}

locals {
  database_ports = { PostgreSQL = 5432, Patroni = 8008 }

  # Who connects to both ports: the members to each other, for replication and for Patroni's checks before a failover.
  within_region = {
    "the members"       = aws_security_group.database.id
    "the load balancer" = aws_security_group.balancer.id
    "HAProxy"           = module.haproxy.security_group_id
  }
  let_in = merge([
    for who, group in local.within_region : {
      for service, port in local.database_ports : "${service}, ${who}" => { group = group, port = port }
    }
  ]...)
}

resource "aws_vpc_security_group_ingress_rule" "within_region" {
  for_each = local.let_in

  security_group_id            = aws_security_group.database.id
  description                  = each.key
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "other_region" {
  for_each = local.database_ports

  security_group_id = aws_security_group.database.id
  description       = "${each.key}, the other Region"
  cidr_ipv4         = var.other_block
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_egress_rule" "database" {
  for_each = {
    for it in setproduct(keys(local.database_ports), [var.cidr_block, var.other_block]) : "${it[0]} in ${it[1]}" =>
    { port = local.database_ports[it[0]], block = it[1] }
  }

  security_group_id = aws_security_group.database.id
  description       = "Other members: ${each.key}"
  cidr_ipv4         = each.value.block
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

# Their callbacks publish to SNS, through this VPC's endpoints.
resource "aws_vpc_security_group_egress_rule" "callbacks" {
  security_group_id = aws_security_group.database.id
  description       = "AWS, through the endpoints"
  cidr_ipv4         = var.cidr_block
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
