"""The configuration: read once, unknown keys refused; its sections as frozen values.

batch_settings.py     The section of the configuration that is about batches: see
                      `gateway.config.settings`
loading.py            Reads the configuration: defaults, then a TOML file, then the environment, and every
                      problem at once
mqtt_settings.py      The section of the configuration that is about the MQTT broker: see
                      `gateway.config.settings`
provider_settings.py  The sections of the configuration that are about buying numbers: see
                      `gateway.config.settings`
setting_types.py      What the values of settings may be: types with their checks, each error saying what
                      would be right
settings.py           The sections of the configuration as frozen values: every key, its default, its unit
                      and its bounds
sip_settings.py       The section of the configuration that is about signalling: see
                      `gateway.config.settings`
"""
