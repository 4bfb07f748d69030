package dataarts

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// regions are those of DataArts Studio in the SDK. The SDK's own table is not asked, because an environment variable
// (HUAWEICLOUD_SDK_REGION_...) or a file in the home directory would change its answer.
var regions = []string{
	"ae-ad-1", "af-south-1", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "cn-east-2",
	"cn-east-3", "cn-east-4", "cn-north-1", "cn-north-11", "cn-north-2", "cn-north-4", "cn-north-9", "cn-south-1",
	"cn-southwest-2", "eu-west-101", "la-north-2", "la-south-2", "me-east-1", "my-kualalumpur-1", "na-mexico-1",
	"ru-moscow-1", "ru-northwest-2", "sa-brazil-1", "tr-west-1",
}

// Regions are the IDs of the regions that have DataArts Studio.
func Regions() []string { return slices.Clone(regions) }

// endpoints are the base URLs of DataArts Studio and of IAM. The latter is empty if IAM is not to be asked.
func endpoints(o Options) (studio, iam string, err error) {
	studio, iam = o.Endpoint, o.IAMEndpoint
	if studio == "" {
		if !slices.Contains(regions, o.Region) {
			return "", "", fmt.Errorf("region %q is none of DataArts Studio's: %s", o.Region, strings.Join(regions, ", "))
		}
		studio = "https://dayu." + o.Region + ".myhuaweicloud.com"
		if iam == "" {
			iam = iamEndpoint(o.Region)
		}
	}
	studio, err = baseURL("endpoint", studio)
	iam, err2 := baseURL("iam_endpoint", iam)
	return studio, iam, errors.Join(err, err2)
}

func iamEndpoint(region string) string {
	switch region {
	case "eu-west-101": // a legal entity of its own
		return "https://iam.eu-west-101.myhuaweicloud.eu"
	case "cn-north-11", "ru-northwest-2": // not in the SDK's table for IAM; this is its default
		return "https://iam.myhuaweicloud.com"
	default:
		return "https://iam." + region + ".myhuaweicloud.com"
	}
}

// baseURL checks a URL to which signed requests go. The SDK drops a path silently, and takes a host without scheme.
func baseURL(what, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%s is not a URL", what) // the error would repeat a password in it
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.Opaque != "":
		return "", fmt.Errorf("%s must begin with https:// and name a host", what)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "", fmt.Errorf("%s %q must begin with https://: plain http is for loopback hosts", what, u.Host)
	case u.User != nil:
		return "", fmt.Errorf("%s must have no user and password in it", what)
	case u.Path != "" && u.Path != "/", u.RawQuery != "" || u.ForceQuery, u.Fragment != "":
		return "", fmt.Errorf("%s %q must end with the host: the SDK would drop the rest", what, u.Host)
	}
	return u.Scheme + "://" + u.Host, nil
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// transport is the SDK's with the time limits that it lacks. Unlike the SDK's it honours HTTPS_PROXY.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     30 * time.Second,
		MaxIdleConnsPerHost: 4,
	}
}
