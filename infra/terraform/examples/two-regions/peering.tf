# The way between the two networks. It has no single point of failure and no limit of bandwidth; AWS charges for each GB in
# both directions.

resource "aws_vpc_peering_connection" "this" {
  provider = aws.first

  vpc_id      = module.first.vpc_id
  peer_vpc_id = module.second.vpc_id
  peer_region = var.second.region
  tags        = { Name = "repoint-example" }
}

resource "aws_vpc_peering_connection_accepter" "this" {
  provider = aws.second

  vpc_peering_connection_id = aws_vpc_peering_connection.this.id
  auto_accept               = true
  tags                      = { Name = "repoint-example" }
}

resource "aws_route" "to_second" {
  provider = aws.first

  route_table_id            = module.first.route_table_id
  destination_cidr_block    = var.second.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id
}

resource "aws_route" "to_first" {
  provider = aws.second

  route_table_id            = module.second.route_table_id
  destination_cidr_block    = var.first.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id
}
