#!/bin/sh
# Writes docker-compose.images.yml, which pins every image of docker-compose.yml and of the Dockerfile by the digest that its tag has at
# this moment. Needs docker with buildx and the registries. Look the digests through and keep the file with the deployment:
#   sh deploy/pin-images.sh && docker compose -f docker-compose.yml -f docker-compose.images.yml up -d
set -eu
cd "$(dirname "$0")/.."

# An image by its tag and digest; ends the script where there is no digest to be had.
pinned() {
  digest=$(docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}')
  case $digest in
    sha256:*) echo "$1@$digest" ;;
    *) echo "no digest of $1: $digest" >&2; exit 1 ;;
  esac
}

out=docker-compose.images.yml
{
  echo 'services:'
  # Each service with an image that is not built here.
  awk '/^services:/ { on = 1 } /^[a-z-]+:/ && !/^services:/ { on = 0 } on && /^  [a-z-]+:$/ { name = $1 } on && /^    image: / { print name, $2 }' \
    docker-compose.yml | while read -r name image; do
    image=$(pinned "$image")
    echo "  $name { image: $image }"
  done
  node_image=$(sed -n 's/^ARG NODE_IMAGE=//p' Dockerfile)
  node_pinned=$(pinned "$node_image")
  for name in migrate api worker; do
    echo "  $name: { build: { context: ., args: { NODE_IMAGE: '$node_pinned' } } }"
  done
} > "$out.tmp"
mv "$out.tmp" "$out"
cat "$out"
