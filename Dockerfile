# Parley with its embedded engines. Build: docker build -t parley .
# Run:  docker run -p 127.0.0.1:3004:3004 -p 127.0.0.1:3007:3007 -p 127.0.0.1:3009:3009 -v parley:/var/lib/parley parley
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --system --create-home --home-dir /home/parley parley \
    && install -d -o parley -g parley -m 700 /var/lib/parley

WORKDIR /opt/parley
# Dependencies change less often than code: installed first, they stay in the build's cache.
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY docs/third-party.md docs/third-party.md
RUN mkdir voice_core agents telephony billing context server \
    && pip install --no-cache-dir . \
    && pip uninstall --yes parley-voice
COPY voice_core voice_core
COPY agents agents
COPY telephony telephony
COPY billing billing
COPY context context
COPY server server
RUN pip install --no-cache-dir --no-deps .

USER parley
# A caller from outside the container is no longer "this machine": the demo tenant wants a key then. Put a tenant file with
# `keys:` into /var/lib/parley/tenants (README, "Your own tenant").
ENV PARLEY_HOME=/var/lib/parley \
    PARLEY_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1
VOLUME /var/lib/parley
EXPOSE 3004 3007 3009
STOPSIGNAL SIGINT

HEALTHCHECK --interval=15s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; [r.urlopen(f'http://127.0.0.1:{p}/readyz', timeout=2) for p in (3004, 3007, 3009)]"]

CMD ["parley", "serve"]
