#!/bin/sh
# Run once by the postgres image, when its volume is new: an owner for the migrations, a login for API and worker, and the role that the
# login works under. The login owns nothing and is bound by row-level security.
set -eu
# Files, as docker-compose.yml mounts them, or the environment.
owner=${OWNER_PASSWORD:-$(cat /run/secrets/owner_password)}
service=${SERVICE_PASSWORD:-$(cat /run/secrets/service_password)}
psql -v ON_ERROR_STOP=1 -v owner="$owner" -v service="$service" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role holdpoint_service nologin;
create role holdpoint_owner login password :'owner';
create role holdpoint login password :'service';
grant holdpoint_service to holdpoint, holdpoint_owner;
alter database holdpoint owner to holdpoint_owner;
alter schema public owner to holdpoint_owner;
SQL
