FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md ./
COPY gateway gateway
COPY ubl_templates ubl_templates
RUN python -m venv /opt/gateway \
 && /opt/gateway/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && /opt/gateway/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --system --create-home --home-dir /var/lib/gateway gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH GATEWAY_HOME=/var/lib/gateway GATEWAY_HOST=0.0.0.0 GATEWAY_LOG_FORMAT=json
USER gateway
VOLUME /var/lib/gateway
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
CMD ["gateway", "serve"]
