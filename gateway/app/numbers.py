"""Numbers as people buy, link, test and give them back, and the sweep that looks after rentals."""

from typing import TYPE_CHECKING

from gateway.app.listening import families
from gateway.call.record import utc_now
from gateway.net.dns import Resolver
from gateway.provisioning.counter import Counter, open_counter, running_calls
from gateway.provisioning.linking import Linking
from gateway.provisioning.release import workflow_calls
from gateway.provisioning.trial import Trials

if TYPE_CHECKING:
    from gateway.app.gateway import Gateway


def build_numbers(gateway: "Gateway") -> tuple[Trials, Linking, Counter]:
    """The connection test, linking by it, and the counter; closed with the gateway."""
    config, configuration = gateway.config, gateway.store.configuration
    ours = families(config.sip.listeners)
    trials = Trials(
        gateway.endpoint,
        lambda told: Resolver(families=ours, told=told),
        config.provisioning.trial_seconds,
        gateway.reach,
    )
    testing = config.provisioning.test_before_linking == "yes"
    linking = Linking(configuration, trials, gateway.bus.tell, testing=testing)
    counter = open_counter(
        config,
        configuration,
        gateway.bus.tell,
        running_calls(lambda: [(record.id, record.number_id) for record in gateway.switchboard.running()]),
        gateway.batches.uses_of,
        workflow_calls(gateway.store.newest_call, utc_now),
    )
    gateway.closing.push_async_callback(counter.close)
    gateway.beside(counter.rentals.run(), "rentals")
    return trials, linking, counter
