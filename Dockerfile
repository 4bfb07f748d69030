# The product alone, static, in an empty image: no shell, no package manager, nothing to update but the binary.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# docker build --build-arg COMMIT=$(git rev-parse HEAD) .
ARG COMMIT=
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X countersign/cmd/internal/app.commit=$COMMIT" -o /out/countersign ./cmd/countersign \
 && mkdir -p /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/countersign /countersign
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
WORKDIR /data
# countersign.yaml is read from /data; secrets come from the environment, or from files named by NAME_FILE.
ENTRYPOINT ["/countersign"]
CMD ["serve"]
