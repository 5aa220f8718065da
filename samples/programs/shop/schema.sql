-- The shop's tables. reviews has no index on product_id: each look-up reads the whole table.
pragma journal_mode = wal;
pragma synchronous = normal;

create table category (
    id integer primary key,
    parent_id integer references category(id),
    name text not null
);

create table product (
    id integer primary key,
    category_id integer not null references category(id),
    name text not null,
    description text not null,
    price_cents integer not null
);
create index product_by_category on product(category_id);

create table review (
    id integer primary key,
    product_id integer not null references product(id),
    stars integer not null
);

create table stock (
    product_id integer primary key references product(id),
    pieces integer not null
);

create table purchase (
    id integer primary key,
    product_id integer not null references product(id),
    pieces integer not null,
    status text not null
);
