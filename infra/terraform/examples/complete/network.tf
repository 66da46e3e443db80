# A VPC without a route to the internet: the module's endpoints lead to AWS.

provider "aws" {
  region = var.region
}

data "aws_availability_zones" "available" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block           = "10.90.0.0/16"
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

# For the database nodes. The module allows the function to connect to Patroni's port.
resource "aws_security_group" "database" {
  name        = "repoint-example-database"
  description = "PostgreSQL and Patroni"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "repoint-example-database" }
}

resource "aws_vpc_security_group_ingress_rule" "postgresql" {
  for_each = {
    "through the load balancer"                                = aws_security_group.balancer.id
    "for replication, and from a node to the primary's record" = aws_security_group.database.id
  }

  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL, ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

# A load balancer that is created without one can never get one.
resource "aws_security_group" "balancer" {
  name        = "repoint-example-balancer"
  description = "Clients of PostgreSQL"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "repoint-example-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id = aws_security_group.balancer.id
  description       = "Clients in the VPC"
  cidr_ipv4         = aws_vpc.this.cidr_block
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "Connections and health checks to PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}
